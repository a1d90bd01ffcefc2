# SPDX-License-Identifier: Apache-2.0
"""App templates and the storage templates in them."""

from __future__ import annotations

from datera_emulator.api import render, template_render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import AUTH
from datera_emulator.api.template_schemas import (
    APP_TEMPLATE_CREATE,
    APP_TEMPLATE_UPDATE,
    STORAGE_TEMPLATE_CREATE,
    STORAGE_TEMPLATE_UPDATE,
)
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, NotFound, RequestInvalid
from datera_emulator.rules.credentials import checked_auth
from datera_emulator.rules.snapshot_policies import checked_policies
from datera_emulator.rules.templates import (
    checked_pool,
    new_app_template,
    new_storage_template,
    storage_templates,
    volume_templates,
)
from datera_emulator.state.template_model import AppTemplate, StorageTemplate
from datera_emulator.state.tenancy import ancestors

ROUTES = Router()

_COLLECTION = "/app_templates"
_ONE = f"{_COLLECTION}/:name"
_STORAGES = f"{_ONE}/storage_templates"
_STORAGE = "/app_templates/:app_template_name/storage_templates/:storage_template_name"


@ROUTES.route("GET", _COLLECTION, entity="app_template")
def list_all(call: Call) -> Result:
    """List the tenant's templates and those of the tenants above."""
    places = (call.tenant, *ancestors(call.tenant))
    seen = [one for one in call.cluster.app_templates.values() if one.tenant in places]
    return Listing(seen, lambda one: _shown(call, one), identity=lambda one: (one.name, one.tenant))


@ROUTES.route("POST", _COLLECTION, entity="app_template", body=APP_TEMPLATE_CREATE)
def create(call: Call) -> Result:
    """Make a template, from nothing or from another one."""
    name = call.body["name"]
    if (call.tenant, name) in call.cluster.app_templates:
        raise Conflict(f"App template {name} exists already in tenant {call.tenant}")
    template = new_app_template(call, call.body)
    call.cluster.save(template)
    return _shown(call, template)


@ROUTES.route("GET", _ONE, entity="app_template")
def show(call: Call) -> Result:
    """Show one template."""
    return _shown(call, template_of(call))


@ROUTES.route("PUT", _ONE, entity="app_template", body=APP_TEMPLATE_UPDATE)
def update(call: Call) -> Result:
    """Change a template; app instances made from it stay as they are."""
    template, wish = own_template_of(call), call.body
    storages, policies = template.storage_templates, template.snapshot_policies
    if "storage_templates" in wish:
        storages = storage_templates(call, wish["storage_templates"])
    if "snapshot_policies" in wish:
        policies = checked_policies(wish["snapshot_policies"])
    template.storage_templates, template.snapshot_policies = storages, policies
    template.descr = wish.get("descr") or template.descr
    call.cluster.save(template)
    return _shown(call, template)


@ROUTES.route("DELETE", _ONE, entity="app_template")
def delete(call: Call) -> Result:
    """Delete a template that no app instance is bound to."""
    template = own_template_of(call)
    bound = call.cluster.index.made_from(template.tenant, template.name)
    if bound and not call.cluster.switches.template_in_use_deletable:
        raise RequestInvalid(f"App template {template.name} has app instances")
    shown = _shown(call, template)
    call.cluster.forget(template)
    return shown


@ROUTES.route("GET", _STORAGES, entity="storage_template")
def list_storages(call: Call) -> Result:
    """List a template's storage templates."""
    template = template_of(call)
    return Listing(
        list(template.storage_templates.values()),
        lambda one: template_render.storage_template(template, one),
        identity=lambda one: one.name,
    )


@ROUTES.route("POST", _STORAGES, entity="storage_template", body=STORAGE_TEMPLATE_CREATE)
def create_storage(call: Call) -> Result:
    """Add a storage template."""
    template = own_template_of(call)
    if call.body["name"] in template.storage_templates:
        raise Conflict(f"Storage template {call.body['name']} exists already")
    storage = new_storage_template(call, call.body)
    template.storage_templates[storage.name] = storage
    return _kept(call, template, storage)


@ROUTES.route("GET", _STORAGE, entity="storage_template")
def show_storage(call: Call) -> Result:
    """Show one storage template."""
    template = template_of(call)
    return template_render.storage_template(template, storage_template_of(call, template))


@ROUTES.route("PUT", _STORAGE, entity="storage_template", body=STORAGE_TEMPLATE_UPDATE)
def update_storage(call: Call) -> Result:
    """Change a storage template."""
    template = own_template_of(call)
    storage, wish = storage_template_of(call, template), call.body
    pool = checked_pool(call, wish.get("ip_pool", storage.ip_pool))
    auth = checked_auth(wish["auth"], storage.auth) if "auth" in wish else storage.auth
    if "volume_templates" in wish:
        storage.volume_templates = volume_templates(call, wish["volume_templates"])
    storage.ip_pool, storage.auth = pool, auth
    return _kept(call, template, storage)


@ROUTES.route("DELETE", _STORAGE, entity="storage_template")
def delete_storage(call: Call) -> Result:
    """Remove a storage template."""
    template = own_template_of(call)
    storage = storage_template_of(call, template)
    del template.storage_templates[storage.name]
    return _kept(call, template, storage)


@ROUTES.route("GET", f"{_STORAGE}/auth", entity="auth")
def show_auth(call: Call) -> Result:
    """Show a storage template's credentials; secrets read back as "(hidden)"."""
    return _auth(call, template_of(call))


@ROUTES.route("PUT", f"{_STORAGE}/auth", entity="auth", body=AUTH)
def update_auth(call: Call) -> Result:
    """Change a storage template's credentials."""
    template = own_template_of(call)
    storage = storage_template_of(call, template)
    storage.auth = checked_auth(call.body, storage.auth)
    call.cluster.save(template)
    return _auth(call, template)


def template_of(call: Call) -> AppTemplate:
    """Return the template in the call's path.

    :raises NotFound: the tenant sees none of this name.
    """
    return call.cluster.app_template(call.tenant, _name(call))


def own_template_of(call: Call) -> AppTemplate:
    """Return the template in the call's path, to be changed.

    :raises NotFound: the tenant itself has none of this name.
    """
    template = call.cluster.app_templates.get((call.tenant, _name(call)))
    if template is None:
        raise NotFound(f"No app template {_name(call)} of tenant {call.tenant} itself")
    return template


def storage_template_of(call: Call, template: AppTemplate) -> StorageTemplate:
    """Return the storage template in the call's path.

    :raises NotFound: the template has none of this name.
    """
    name = call.arguments.get("storage_template_name") or call.arguments["st_name"]
    if name not in template.storage_templates:
        raise NotFound(f"No storage template {name} in {template.path}")
    return template.storage_templates[name]


def _name(call: Call) -> str:
    # The array's own description calls this part of its paths by three names.
    names = call.arguments
    return names.get("name") or names.get("app_template_name") or names["at_name"]


def _shown(call: Call, template: AppTemplate) -> Document:
    return template_render.app_template(call.cluster, template)


def _auth(call: Call, template: AppTemplate) -> Document:
    storage = storage_template_of(call, template)
    return render.auth(template_render.storage_template_path(template, storage), storage.auth)


def _kept(call: Call, template: AppTemplate, storage: StorageTemplate) -> Document:
    call.cluster.save(template)
    return template_render.storage_template(template, storage)
