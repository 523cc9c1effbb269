"""Owns the proof that the sandbox's Google is Google to Google's own client, unmodified."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import google_auth_httplib2
import httplib2
import pytest
from google.oauth2.service_account import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import Discovery, GoogleServer

ISSUER = "3388000000022000009"
SCOPES = ["https://www.googleapis.com/auth/wallet_object.issuer"]


def test_googles_own_client_makes_reads_changes_and_lists_in_one_and_in_batches(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path / "authority", datetime.now(UTC))
    root = tmp_path / "root.pem"
    root.write_bytes(authority.root_pem)
    discovery = Discovery.load()
    with GoogleServer(authority, discovery=discovery).in_thread() as google:
        credentials = Credentials.from_service_account_info(google.issue_account(ISSUER), scopes=SCOPES)
        http = google_auth_httplib2.AuthorizedHttp(credentials, http=httplib2.Http(ca_certs=str(root), timeout=20))
        with build_from_document(
            discovery.document, http=http, client_options={"api_endpoint": f"{google.address}/"}
        ) as wallet:
            above = {
                "id": f"{ISSUER}.club",
                "issuerName": "Shop",
                "programName": "Club",
                "programLogo": {"sourceUri": {"uri": "https://example.com/l.png"}},
                "reviewStatus": "UNDER_REVIEW",
            }
            made = wallet.loyaltyclass().insert(body=above).execute()
            assert (made["reviewStatus"], made["kind"]) == ("approved", "walletobjects#loyaltyClass")
            objects = wallet.loyaltyobject()
            ids = [f"{ISSUER}.p{number}" for number in range(5)]
            batch = BatchHttpRequest(batch_uri=f"{google.address}/batch")
            answers = {}
            for one in (*ids, ids[0]):
                body = {"id": one, "classId": above["id"], "state": "ACTIVE"}
                batch.add(
                    objects.insert(body=body), callback=lambda name, done, fault: answers.update({name: fault or done})
                )
            batch.execute(http=http)
            *good, bad = answers.values()
            assert [one["id"] for one in good] == ids
            assert isinstance(bad, HttpError)
            assert bad.status_code == 409
            patched = objects.patch(resourceId=ids[1], body={"loyaltyPoints": {"balance": {"int": 7}}}).execute()
            assert patched["loyaltyPoints"]["balance"] == {"int": 7}
            assert patched["classReference"]["programName"] == "Club"
            page = objects.list(classId=above["id"], maxResults=3).execute()
            rest = objects.list(classId=above["id"], maxResults=3, token=page["pagination"]["nextPageToken"]).execute()
            assert [one["id"] for one in (*page["resources"], *rest["resources"])] == ids
            assert "nextPageToken" not in rest["pagination"]
            message = {"message": {"id": "m1", "header": "Hi", "body": "There", "messageType": "TEXT_AND_NOTIFY"}}
            told = objects.addmessage(resourceId=ids[1], body=message).execute()
            assert [one["messageType"] for one in told["resource"]["messages"]] == ["textAndNotify"]
            with pytest.raises(HttpError) as refused:
                objects.get(resourceId=f"{ISSUER}.nobody").execute()
            assert refused.value.status_code == 404
            assert refused.value.error_details[0]["reason"] == "resourceNotFound"
            assert objects.get(resourceId=ids[2], fields="id,classReference/programName").execute() == {
                "id": ids[2],
                "classReference": {"programName": "Club"},
            }
        assert google.counts["token 200"] == 1
