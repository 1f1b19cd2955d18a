"""People who use the screens, and a client for each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client

from integrations.groups import create_groups
from tests.factories.students import SchoolFactory, SchoolScopeFactory

SignIn = Callable[..., Client]


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """``sign_in("Group", ..., schools=("101",))``: a client of a new person."""

    # Tests that commit empty every table, the shipped groups with them.
    create_groups(apps)

    def new_client(*groups: str, schools: tuple[str, ...] = (), name: str = "registrar") -> Client:
        user = User.objects.create_user(name, password="x", is_staff=True)
        user.groups.set(Group.objects.filter(name__in=groups))
        assert user.groups.count() == len(groups)
        for code in schools:
            SchoolScopeFactory.create(user=user, school=SchoolFactory.create(code=code))
        client = Client()
        client.force_login(user)
        return client

    return new_client


@pytest.fixture
def registrar(sign_in: SignIn) -> Client:
    """Somebody with Sync Service Full Access."""
    return sign_in("Sync Service Full Access")


@pytest.fixture
def looker(sign_in: SignIn) -> Client:
    """Somebody with Sync Service Limited Access."""
    return sign_in("Sync Service Limited Access", name="looker")


@pytest.fixture
def approver(sign_in: SignIn) -> Client:
    """Somebody who may run and approve."""
    return sign_in("Sync Service Full Access", "Approve Held Runs", name="approver")
