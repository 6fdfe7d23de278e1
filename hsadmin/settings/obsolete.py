"""Keys of older versions, and what 0.29 does with them: some end its start, the others are ignored although they look as if they counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Obsolete:
    """`fatal`: headscale 0.29 does not start with it, unless `unless` is set in the file. `instead` completes "…; "."""

    fatal: bool
    instead: str
    unless: str = ""


OBSOLETE = {
    "randomize_client_port": Obsolete(True, 'it moved to the policy: "randomizeClientPort": true at its top level'),
    "oidc.expiry": Obsolete(True, "write node.expiry"),
    "oidc.strip_email_domain": Obsolete(True, "remove it, names of users are no longer shortened"),
    "oidc.map_legacy_users": Obsolete(True, "remove it, users were migrated long ago"),
    "dns.use_username_in_magic_dns": Obsolete(True, "remove it, names of nodes hold no user"),
    "dns_config.use_username_in_magic_dns": Obsolete(True, "remove it, names of nodes hold no user"),
    "acl_policy_path": Obsolete(True, "the policy lives in the database, remove it", unless="policy.path"),
    "dns_config.extra_records": Obsolete(True, "write dns.extra_records", unless="dns.extra_records"),
    "dns_config.magic_dns": Obsolete(False, "write dns.magic_dns"),
    "dns_config.base_domain": Obsolete(False, "write dns.base_domain"),
    "dns_config.override_local_dns": Obsolete(False, "write dns.override_local_dns"),
    "dns_config.nameservers": Obsolete(False, "write dns.nameservers.global"),
    "dns_config.restricted_nameservers": Obsolete(False, "write dns.nameservers.split"),
    "dns_config.domains": Obsolete(False, "write dns.search_domains"),
    "ephemeral_node_inactivity_timeout": Obsolete(False, "write node.ephemeral.inactivity_timeout"),
    "oidc.enabled": Obsolete(False, "OpenID Connect is on when oidc.issuer is set"),
}
