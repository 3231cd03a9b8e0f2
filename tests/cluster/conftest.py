"""The clusters that several tests share: a start takes as long as a test."""

from collections.abc import Generator, Iterator
from time import monotonic

import pytest

from tests.cluster.harness import Cluster
from tests.cluster.node import NEWER, PROGRAM


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure where the nodes stand, and where their folders and logs are."""
    report = yield
    if report.failed:
        for cluster in getattr(item, "funcargs", {}).values():
            if isinstance(cluster, Cluster):
                report.sections.append(("cluster", cluster.describe()))
    return report


def tell(request: pytest.FixtureRequest, text: str) -> None:
    """Say something at the terminal, between the dots of the tests."""
    plugins = request.config.pluginmanager
    reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
    assert reporter is not None
    assert capture is not None
    with capture.global_and_fixture_disabled():
        reporter.ensure_newline()
        reporter.write_line(f"tests/cluster: {text}")


@pytest.fixture(scope="session")
def quiet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four validators, three with the newer program, on which nobody asks for anything until the tests of upgrades."""
    with Cluster(tmp_path_factory.mktemp("quiet"), program=NEWER) as cluster:
        cluster.node(4).program = PROGRAM
        cluster.start()
        cluster.goes_on(*cluster.nodes)
        yield cluster
        cluster.finish()


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four validators; a test leaves them running and healed, or fails."""
    if any("quiet" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("quiet")  # so that it has been idle for long when its tests come
    with Cluster(tmp_path_factory.mktemp("town")) as cluster:
        began = monotonic()
        cluster.start()
        tell(
            request,
            f"{cluster.links.kind}; the first block of 4 fresh validators served after {monotonic() - began:.1f} s",
        )
        yield cluster
        cluster.finish()


@pytest.fixture
def town(shared: Cluster) -> Iterator[Cluster]:
    """The shared validators, all of which run and reach one another before the test and after it, with one chain."""
    shared.recover()
    shared.agree()
    yield shared
    shared.recover()
    shared.agree()
