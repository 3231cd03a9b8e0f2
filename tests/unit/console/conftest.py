import pytest

from tests.unit.console.site import Site, Visitor


@pytest.fixture(scope="package")
def site(tmp_path_factory):
    """The demonstration with a few transactions more, its lists made, a console over it."""
    made = Site(tmp_path_factory.mktemp("console"))
    yield made
    made.close()


@pytest.fixture
def visitor(site):
    return Visitor(site)


@pytest.fixture(scope="package")
def auditor(site):
    """A visitor who reads as the auditor."""
    made = Visitor(site)
    assert made.sign_in("auditor").status_code == 303
    return made
