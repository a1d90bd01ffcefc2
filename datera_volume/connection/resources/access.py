# SPDX-License-Identifier: Apache-2.0
"""Access to a storage instance: its ACL and CHAP."""

from __future__ import annotations

from datera_volume.connection.errors import NotOnCluster
from datera_volume.connection.names import fold_iqn
from datera_volume.connection.resources import initiators
from datera_volume.connection.resources.adapter import TenantPart
from datera_volume.connection.resources.changing import done_twice, sure
from datera_volume.connection.resources.model import StorageInstanceRef
from datera_volume.connection.resources.parsing import initiators_in
from datera_volume.connection.transport.paths import child

CHAP_SECRET_LENGTHS = range(12, 17)


class Access(TenantPart):
    """Who may log in to the storage instances of a tenant."""

    def allow_initiator(self, si: StorageInstanceRef, iqn: str, name: str) -> None:
        """Add an initiator to the ACL; no error if it is in there already.

        :param name: name for the initiator if the cluster does not have it yet.
        :raises LimitReached: the cluster has reached its limit of initiators.
        :raises OutcomeUnknown, UnexpectedAnswer: it does not exist, and no attempt to create it
            was confirmed.
        :raises NotOnCluster: there is no such storage instance.
        """
        doubt = initiators.ensure(self._adapter, iqn, name)
        try:
            self._add(si, iqn)
        except NotOnCluster as exc:
            if doubt is not None:
                # The storage instance is not what is missing: the initiator was never created.
                raise doubt from exc
            # Perhaps removed since it was found, with the last attachment of its host elsewhere.
            initiators.create(self._adapter, iqn, name)
            self._add(si, iqn)

    def deny_initiator(self, si: StorageInstanceRef, iqn: str) -> None:
        """Remove an initiator from the ACL; no error if it is not in there.

        :raises NotOnCluster: there is no such storage instance.
        """
        try:
            sure(
                lambda: self._put(si, iqn, "remove"),
                lambda: not self._is_allowed(si, iqn) or None,
                f"removing {iqn} from the ACL of {si.path}",
            )
        except NotOnCluster:
            if self._is_allowed(si, iqn):
                raise

    def mask_chap(self, si: StorageInstanceRef, secret: str) -> None:
        """Mask in logs and errors a secret that is in use and was set by another process.

        Sends no request.
        """
        self._adapter.session.mask(child(si.path, "auth"), secret)

    def remove_initiator(self, iqn: str, named: str) -> bool:
        """Delete an initiator that no ACL and no initiator group of this tenant contains.

        :param named: prefix of the names of initiators that may be deleted.
        :returns: whether it was deleted.
        :raises UnexpectedAnswer: a response lacks an ACL or the members of a group.
        """
        return initiators.remove(self._adapter, iqn, named)

    def set_chap(self, si: StorageInstanceRef, user: str | None, secret: str | None) -> None:
        """Require CHAP with this user and secret (12 to 16 characters); None: no authentication.

        :raises ValueError: the secret has another length.
        """
        if not user or not secret:
            done_twice(lambda: self._adapter.put(child(si.path, "auth"), {"type": "none"}))
            return
        if len(secret) not in CHAP_SECRET_LENGTHS:
            raise ValueError("a CHAP secret has 12 to 16 characters")
        # The cluster never shows a secret, so whether it was set cannot be verified.
        login = {"type": "chap", "target_user_name": user, "target_pswd": secret}
        done_twice(lambda: self._adapter.put(child(si.path, "auth"), login))

    def _add(self, si: StorageInstanceRef, iqn: str) -> None:
        # An initiator that is in already is a conflict, or refused; so is one that cannot be added.
        sure(
            lambda: self._put(si, iqn, "add"),
            lambda: self._is_allowed(si, iqn) or None,
            f"adding {iqn} to the ACL of {si.path}",
        )

    def _put(self, si: StorageInstanceRef, iqn: str, op: str) -> bool:
        path = child(initiators.COLLECTION, iqn)
        self._adapter.put(child(si.path, "acl_policy", "initiators"), {"op": op, "path": path})
        return True

    def _is_allowed(self, si: StorageInstanceRef, iqn: str) -> bool:
        let_in = initiators_in(self._adapter.get(child(si.path, "acl_policy")))
        return fold_iqn(iqn) in map(fold_iqn, let_in)
