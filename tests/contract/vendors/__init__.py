"""The vendors that the contract is held against, one file each: a new connector adds its own to the list."""

from __future__ import annotations

from tests.contract.vendor import Vendor
from tests.contract.vendors import asana, clickup, monday

VENDORS: tuple[Vendor, ...] = (asana.VENDOR, clickup.VENDOR, monday.VENDOR)
