"""Owns the browser of the tests: where it is, and how it is started, without what no test looks at."""

from __future__ import annotations

import shutil

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What Playwright itself leaves out; said again, because of several such lists the last one alone counts.
_LEFT_OUT_BY_PLAYWRIGHT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
    "PreconnectToSearch",
)  # fmt: skip
# The pages under the address bar, which each new window loads twice before it shows anything: a second of a slow core.
_UNSEEN = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    f"--disable-features={','.join((*_LEFT_OUT_BY_PLAYWRIGHT, *_UNSEEN))}",
]
