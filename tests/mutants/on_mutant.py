"""A pytest plugin: the tests use the database that is there, broken as it is.

It takes the place of pytest-django's own way to make one; MUTANT_DATABASE names it. What fails is
written to the file that MUTANT_CAUGHT_BY names, a line for each test.
"""

import os
from pathlib import Path

import pytest
from django.db import connection


class DatabaseThatIsThere:
    """Stands in for the fixtures of pytest-django that make a database and drop it."""

    @pytest.fixture(scope="session")
    def django_db_setup(self) -> None:
        """Use the database as it is."""
        connection.close()
        connection.settings_dict["NAME"] = os.environ["MUTANT_DATABASE"]

    @pytest.fixture(scope="session")
    def django_db_keepdb(self) -> bool:
        """Leave it to whoever made it."""
        return True


def pytest_configure(config: pytest.Config) -> None:
    """Come after pytest-django, so that these fixtures are found before its own."""
    config.pluginmanager.register(DatabaseThatIsThere())


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell who noticed."""
    if report.failed:
        _tell(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that can't even be imported has noticed, too."""
    if report.failed:
        _tell(report.nodeid)


def _tell(nodeid: str) -> None:
    with Path(os.environ["MUTANT_CAUGHT_BY"]).open("a") as caught_by:
        caught_by.write(f"{nodeid}\n")
