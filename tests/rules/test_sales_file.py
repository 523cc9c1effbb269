"""A sales file is read as any till writes it; every line is either counted or named."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.errors import Invalid
from wallet_server.rules.simulation.sales_columns import columns_of
from wallet_server.rules.simulation.sales_file import Histories, read

PARIS = ZoneInfo("Europe/Paris")
FRENCH = (
    "Date;Heure;Ticket;Magasin;Article;Rayon;Quantité;Montant TTC;Client\n"
    "03/01/2025;17:05;T1;Lyon;PAIN;boulangerie;2;2,40;C7\n"
    "03/01/2025;17:05;T1;Lyon;LAIT;crémerie;1;1,10;C7\n"
    "04/01/2025;9h30;T2;Lyon;;;1;-1,10;C7\n"
    "04/01/2025;09:31;T3;Nice;PAIN;boulangerie;1;1,20;\n"
)
ONLINE = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
    "536365,85123A,HOLDER,6,12/1/2010 8:26,2.55,17850\n"
    "536365,71053,LANTERN,6,12/1/2010 8:26,3.39,17850\n"
    "C536379,85123A,HOLDER,-1,12/14/2010 14:05,2.55,17850\n"
)


def whole(text: str, zone: str = "UTC", **wanted: str) -> Histories:
    return read(text.splitlines(keepends=True), columns_of(text, wanted), zone, 2)


def test_a_french_till_is_read_with_shops_goods_hours_and_returns() -> None:
    columns = columns_of(FRENCH)
    assert dict(columns.said()) == {
        "date": "Date", "time": "Heure", "amount": "Montant TTC", "quantity": "Quantité", "customer": "Client",
        "receipt": "Ticket", "store": "Magasin", "sku": "Article", "category": "Rayon",
    }  # fmt: skip
    found = whole(FRENCH, "Europe/Paris")

    first, back = found.members["C7"]
    assert first.at == datetime(2025, 1, 3, 17, 5, tzinfo=PARIS)
    assert (first.store, first.timed) == ("Lyon", True)
    assert [(one.sku, one.category, one.quantity_milli, one.amount_minor) for one in first.lines] == [
        ("PAIN", "boulangerie", 2000, 240),
        ("LAIT", "crémerie", 1000, 110),
    ]
    assert (back.at.hour, back.at.minute, back.lines[0].amount_minor) == (9, 30, -110)
    assert [one.store for one in found.unknown] == ["Nice"]
    assert (found.rows, found.rejects) == (4, [])


def test_price_times_quantity_where_there_is_no_amount() -> None:
    assert dict(columns_of(ONLINE).said()) == {
        "date": "InvoiceDate", "price": "UnitPrice", "quantity": "Quantity", "customer": "CustomerID",
        "receipt": "InvoiceNo", "sku": "StockCode",
    }  # fmt: skip
    sold, cancelled = whole(ONLINE).members["17850"]
    assert [one.amount_minor for one in sold.lines] == [1530, 2034]
    assert sold.at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert [(one.sku, one.quantity_milli, one.amount_minor) for one in cancelled.lines] == [("85123A", -1000, -255)]


@pytest.mark.parametrize(
    "header", ["quantity,price", "Quantité,PU TTC", "Qté,PU", "Qté,P.U. HT", "Quantity,Unit price", "Qté,Prix unitaire"]
)
def test_the_price_of_a_piece_is_known_by_its_name_beside_a_quantity(header: str) -> None:
    text = f"date,customer,{header}\n2026-01-01,A,3,10.00\n2026-01-02,A,5,10.00\n2026-01-03,A,-1,10.00\n"
    assert {"price", "quantity"} <= columns_of(text).places.keys()
    assert [one.lines[0].amount_minor for one in whole(text).members["A"]] == [3000, 5000, -1000]
    assert [one.lines[0].amount_minor for one in whole(text, amount="4").members["A"]] == [1000, 1000, -1000]


@pytest.mark.parametrize(
    ("header", "amount"),
    [
        ("price,amount", "amount"),
        ("PU TTC,Total TTC", "Total TTC"),
        ("Price paid,x", "Price paid"),
        ("PU TTC,Total HT", None),
        ("PU TTC,Total TVA", None),
    ],
)
def test_what_was_paid_for_all_pieces_comes_before_the_price_of_one(header: str, amount: str | None) -> None:
    first, second = header.split(",")
    text = f"date,customer,Qté,{first},{second}\n2026-01-01,A,3,10.00,30.00\n2026-01-02,A,2,10.00,20.00\n"
    said = dict(columns_of(text).said())
    assert (said.get("amount"), said.get("price")) == ((amount, None) if amount else (None, first))


def test_without_a_quantity_a_price_is_the_amount() -> None:
    assert dict(columns_of("date,customer,price\n2026-01-01,A,10.00\n").said())["amount"] == "price"


def test_goods_of_a_negative_quantity_come_back_whatever_the_sign_of_their_amount() -> None:
    text = "date,customer,quantity,amount,vat\n2026-01-01,A,-2,5.00,0.50\n2026-01-02,A,-2,-5.00,-0.50\n"
    assert [(one.lines[0].amount_minor, one.lines[0].tax_minor) for one in whole(text).members["A"]] == [
        (-500, -50),
        (-500, -50),
    ]


def test_columns_are_named_by_name_or_number_and_faults_are_told_together() -> None:
    assert columns_of(FRENCH, {"customer": "Magasin", "store": ""}).places["customer"] == 3
    assert "store" not in columns_of(FRENCH, {"customer": "Magasin", "store": ""}).places
    assert columns_of(FRENCH, {"sku": "6"}).places["sku"] == 5
    with pytest.raises(Invalid) as refused:
        columns_of(FRENCH, {"customer": "Kunde", "colour": "Rayon"})
    assert [one.path for one in refused.value.faults] == ["customer", "colour"]
    assert "“Client”" in refused.value.faults[0].sentence
    with pytest.raises(Invalid, match="name them"):
        columns_of("a,b\nx,y\n")
    named = columns_of("a,b\n2025-01-01,z\n", {"date": "a", "amount": "b"})
    assert named.places == {"date": 0, "amount": 1}


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ("31/02/2025;10:00;T9;L;A;B;1;1,00;C", "date"),
        ("03/01/2025;25:00;T9;L;A;B;1;1,00;C", "time"),
        ("03/01/2025;10:00;T9;L;A;B;1;free;C", "amount"),
        ("03/01/2025;10:00;T9;L;A;B;two;1,00;C", "quantity"),
        ("03/01/2025;10:00;T9;L;A;B;1;99999999999,00;C", "too-large"),
        ("03/01/2025;10:00", "short"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_reason(cells: str, why: str) -> None:
    found = whole(FRENCH + cells + "\n" + "05/01/2025;10:00;T10;L;A;B;1;1,00;C7\n")
    assert [(one.line, one.why, one.text) for one in found.rejects] == [(6, why, cells)]
    assert len(found.members["C7"]) == 3, "what stands after it is read"


COMMAS = (
    "date,customer,amount,\n2026-01-01,A,12,50\n2026-01-02,A,7,99,\n2026-01-03,B,1,234.50\n"
    '2026-01-04,B,20,,\n2026-01-05,B,"1,234.50"\n'
)


def test_an_amount_that_its_comma_cuts_in_two_is_no_amount() -> None:
    found = whole(COMMAS)
    assert [(one.line, one.why, one.text) for one in found.rejects] == [
        (2, "long", "2026-01-01,A,12,50"),
        (3, "long", "2026-01-02,A,7,99,"),
        (4, "long", "2026-01-03,B,1,234.50"),
    ]
    assert {name: [one.lines[0].amount_minor for one in kept] for name, kept in found.members.items()} == {
        "B": [2000, 123450]
    }


def test_the_title_of_a_table_says_nothing_of_its_columns() -> None:
    found = whole("Sales of January\ndate,customer,amount\n2026-01-01,A,12.50\n2026-01-02,A,7.99\n")
    assert [(one.line, one.why) for one in found.rejects] == [(2, "amount")]
    assert found.rows == 3


DIRT = st.sampled_from(["", "x", "1,00", "-2,50", "03/01/2025", "10:61", "C1", "C2", '"', "=1+1", "1e9", "٣"])
ROWS = st.lists(st.lists(DIRT, min_size=1, max_size=9).map(";".join), max_size=25)


@settings(max_examples=examples(40))
@given(ROWS, st.integers(1, 4))
def test_every_line_is_counted_or_named_by_exactly_one_share(rows: list[str], shares: int) -> None:
    text = FRENCH + "\n".join(rows) + "\n"
    columns = columns_of(FRENCH)
    lines = text.splitlines(keepends=True)
    found = read(lines, columns, "UTC", 2)
    kept = [one for purchases in (*found.members.values(), found.unknown) for one in purchases]
    assert found.rows == sum(len(one.lines) for one in kept) + len(found.rejects)

    parts = [read(lines, columns, "UTC", 2, (which, shares)) for which in range(shares)]
    assert sum(one.rows for one in parts) == found.rows
    assert sorted(reject for one in parts for reject in one.rejects) == sorted(found.rejects)
    merged: dict[str, object] = {}
    for one in parts:
        assert not merged.keys() & one.members.keys()
        merged |= one.members
    assert merged == found.members
    assert sum(len(one.unknown) for one in parts) == len(found.unknown)


def test_lines_that_a_quotation_mark_swallows_are_all_named() -> None:
    """A mark that nobody closed makes one record of all that follows; each line of it was left out."""
    row = "2025-01-03,a,1.00\n"
    text = "date,customer,amount\n" + row * 5 + '2025-01-03,"b,1.00\n' + row * 30
    found = whole(text)
    assert found.rows == 36
    assert [(one.line, one.why) for one in found.rejects] == [(line, "quote") for line in range(7, 38)]
    shares = [read(text.splitlines(keepends=True), columns_of(text), "UTC", 2, (which, 2)) for which in (0, 1)]
    assert sum(share.rows for share in shares) == 36
    assert sum(len(share.rejects) for share in shares) == 31


def test_a_receipt_is_one_of_its_shop() -> None:
    """Each shop counts its receipts from 1: two customers nobody knows are not one."""
    more = "05/01/2025;10:00;1;Lyon;A;B;1;1,00;{0}\n05/01/2025;11:00;1;Nice;A;B;1;2,00;{0}\n"
    assert [len(one.lines) for one in whole(FRENCH + more.format("")).unknown[1:]] == [1, 1]
    assert [one.store for one in whole(FRENCH + more.format("C8")).members["C8"]] == ["Lyon", "Nice"]


@pytest.mark.parametrize(
    ("date", "time", "clock"),
    [
        ("2025-03-01 00:00:00", "14:35", (14, 35)),
        ("2025-03-01", "1435", (14, 35)),
        ("2025-03-01", "935", (9, 35)),
        ("2025-03-01", "143512", (14, 35)),
        ("2025-03-01", "14.35", (14, 35)),
        ("2025-03-01", "2:35 PM", (14, 35)),
        ("2025-03-01", "13:35:00Z", (14, 35)),
        ("2025-03-01", "14", (14, 0)),
        ("2025-03-01 14:35", "", (14, 35)),
        ("2025-03-01", "", (12, 0)),
        ("2025-03-01", "soon", None),
        ("2025-03-01", "2561", None),
        ("2025-03-01", "0.6", None),
    ],
)
def test_a_time_in_a_column_of_its_own_is_read_or_named(date: str, time: str, clock: tuple[int, int] | None) -> None:
    rows = "2025-01-02,10:00,1.00,C1\n" * 3 + f"{date},{time},1.00,C2\n"
    found = whole("date,time,amount,customer\n" + rows, "Europe/Paris")
    told = [(one.at.hour, one.at.minute) for one in found.members.get("C2", ())]
    assert told == ([] if clock is None else [clock])
    assert [(one.line, one.why) for one in found.rejects] == ([(5, "time")] if clock is None else [])


def test_a_column_is_guessed_to_be_the_time_by_what_stands_in_it() -> None:
    assert "time" not in columns_of("date,lifetime value,amount\n2025-01-01,250.00,1.00\n").places
    assert columns_of("date,hour,amount\n2025-01-01,1015,1.00\n").places["time"] == 1


@pytest.mark.parametrize(
    ("price", "quantity", "amount"),
    [
        ("1,234.50", "2", 246_900),
        ("1,234", "2", 246_800),
        ("€2.50", "1,200", 300_000),
        ("2.50", "0.350", 88),
        ("0.125", "8", 100),
        ("1,23,4", "2", None),
    ],
)
def test_thousands_are_no_decimals(price: str, quantity: str, amount: int | None) -> None:
    text = "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID\n1,6,2025-01-01 10:00,2.55,C1\n"
    text += f'2,"{quantity}",2025-01-02 10:00,"{price}",C2\n'
    found = whole(text)
    assert [one.lines[0].amount_minor for one in found.members.get("C2", ())] == ([] if amount is None else [amount])
    assert [one.why for one in found.rejects] == (["price"] if amount is None else [])


def test_pieces_that_are_all_written_with_decimals_are_no_thousands() -> None:
    row = "05/01/2025;10:00;{0};L;A;B;{1};1,00;C8\n"
    text = FRENCH.splitlines(keepends=True)[0] + row.format(1, "1.000") + row.format(2, "1.250")
    assert [one.lines[0].quantity_milli for one in whole(text).members["C8"]] == [1000, 1250]


def test_a_mark_that_the_next_one_closes_swallows_no_line_in_silence() -> None:
    """The end of a customer's name is missing, and the next line has a mark by chance."""
    swallowed = '05/01/2025;10:00;T8;L;A;B;1;1,00;"C8\n' + '05/01/2025;10:00;T9;L;"A";B;1;1,00;"C9"\n'
    found = whole(FRENCH + swallowed + "06/01/2025;10:00;T10;L;A;B;1;1,00;C7\n")
    assert (found.rows, [(one.line, one.why) for one in found.rejects]) == (7, [(6, "quote"), (7, "quote")])
    said = FRENCH.replace("Client\n", "Client;Note\n") + '05/01/2025;10:00;T8;L;A;B;1;1,00;C8;"two\nlines"\n'
    assert len(whole(said).members["C8"]) == 1, "a note over two lines says nothing of the sale"


def test_lines_of_several_lengths_do_not_make_the_decimal_comma_what_parts_the_cells() -> None:
    longer = FRENCH.splitlines()
    ragged = "\n".join([longer[0] + ";Note", *longer[1:], *(f"{one};x" for one in longer[1:])])
    assert columns_of(ragged).delimiter == ";"


def test_a_tax_that_its_amount_cannot_contain_is_named() -> None:
    head = "date,amount,tax,customer\n"
    sound = ["1.20,0.20", "1.20,1.20", "-1.20,-0.20", "1.20,", "0,0"]
    wrong = ["1.20,1.21", "1.20,-0.01", "-1.20,0.20", "-1.20,-1.21", "0,0.01"]
    found = whole(head + "".join(f"2025-01-01,{one},C1\n" for one in [*sound, *wrong]))
    assert [(one.line, one.why) for one in found.rejects] == [(number, "tax") for number in range(7, 12)]
