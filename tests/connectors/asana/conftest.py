from __future__ import annotations

import pytest

from tests.connectors.asana.ledger import Ledger
from tests.connectors.asana.pretend import Vendor


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
async def ledger() -> Ledger:
    """A hub's books after one full reading."""
    made = Ledger()
    await made.full()
    return made
