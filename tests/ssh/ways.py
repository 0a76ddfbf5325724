"""Ways to write a machine down in an ssh config, and what OpenSSH makes of each: data of ``test_openssh.py``.

``{name}`` in a text stands for a thing of the stage: see ``Stage.words``. ``as_ssh``: what the real ssh does. agtmux
has to do the same, to the same server, as the same user, with the same key; where it may not, ``but`` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field

IN = "connects"
OUT = "refused"


@dataclass(frozen=True)
class Way:
    name: str
    config: str
    as_ssh: str = IN
    but: str = ""
    """Why agtmux refuses what ssh takes."""
    known: str = "[127.0.0.1]:{port} {host_key}"
    """known_hosts of the case."""
    alias: str = "pc"
    user: str = ""
    """As whom, where that is not the one who runs the tests; the server does not know such a user."""
    key: str = "id"
    server: str = "one"
    files: dict[str, str] = field(default_factory=dict)
    """More files: name → text."""
    words: tuple[str, ...] = ()
    """More words for the real ssh, so that it can be asked at all."""
    environ: dict[str, str] = field(default_factory=dict)
    says: str = ""
    """A regular expression for what ``target connect`` says of it."""


HEAD = "Host pc\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {root}/id\n"
WHERE = "Host pc\n  HostName 127.0.0.1\n  Port {port}\n"

WRITING = (
    Way("plain", HEAD),
    Way(
        "comment_behind_a_value",
        "Host pc\n  HostName 127.0.0.1 # the office box\n  Port {port} # mine\n  IdentityFile {root}/id\n",
    ),
    Way("apostrophe_in_a_comment", "# Bob's box\n" + HEAD + "  # it's slow\nHost other\n  # Ann's\n  Port 1\n"),
    Way("equal_signs_and_quotes", 'Host pc\n  HostName="127.0.0.1"\n  Port = {port}\n  IdentityFile="{root}/id"\n'),
    Way("line_ends_of_another_system", HEAD.replace("\n", "\r\n")),
    Way("capitals_and_tabs", "HOST pc\n\thostname\t127.0.0.1\n\tPORT\t{port}\n\tidentityfile\t{root}/id"),
    Way("an_open_quote", HEAD + '  User "me\n', OUT, says="line 5: .*quote"),
    Way("a_bad_port", "Host pc\n  Port many\n", OUT, says=r"line 2: .*\(Port many\)"),
    Way("an_unknown_option", HEAD + "  Colour red\n", OUT, says="line 5: .*[Cc]olour"),
    Way("an_unknown_option_that_is_ignored", "IgnoreUnknown Colour\n" + HEAD + "  Colour red\n"),
    Way("time_units", HEAD + "  ServerAliveInterval 30s\n  ConnectTimeout 1m\n  RekeyLimit 1G 1h\n"),
    Way("a_config_file_that_is_not_there", "Include {root}/none-*\n" + HEAD),
    Way("odd_user", HEAD + '  User "foo bar"\n', OUT, user="foo bar", says="not offered|accepts none"),
    Way("user_with_at", HEAD + "  User me@example\n", OUT, user="me@example"),
    Way("user_with_percent_and_quote", HEAD + '  User "o\'neil"\n', OUT, user="o'neil"),
    Way("user_in_the_destination", HEAD, OUT, alias="nobody2@pc", user="nobody2"),
    Way("an_uri", "Host pc\n  HostName 127.0.0.1\n  IdentityFile {root}/id\n", alias="ssh://{user}@pc:{port}"),
    Way("ipv6", "Host pc\n  HostName ::1\n  Port {port}\n  IdentityFile {root}/id\n", known="[::1]:{port} {host_key}"),
)

MATCHING = (
    Way("first_value_wins", HEAD + "Host *\n  Port 1\n  HostName 192.0.2.1\n"),
    Way("patterns_and_negation", "Host * !pc\n  Port 1\nHost other,?c p?\n  Port {port}\n  HostName 127.0.0.1\n"
        "  IdentityFile {root}/id\n"),
    Way("match_exec", 'Match host pc exec "test a = a"\n  Port {port}\nHost pc\n  HostName 127.0.0.1\n'
        "  IdentityFile {root}/id\n"),
    Way("match_exec_tokens", 'Match exec "test %n/%h/%p = pc/127.0.0.1/22"\n  Port 1\n' + HEAD
        + 'Match exec "test %h-%n-%p = 127.0.0.1-pc-{port}"\n  IdentityAgent none\n'),
    Way("match_exec_that_fails", 'Match exec "false"\n  HostName 192.0.2.1\n  Port 1\n' + HEAD),
    Way("match_exec_decides_the_key", WHERE
        + 'Match exec "test %h = 127.0.0.1"\n  IdentityFile {root}/id2\n', key="id2"),
    Way("match_originalhost", "Match originalhost pc\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {root}/id\n"),
    Way("match_user_and_localuser", "Match user {user} localuser {user}\n  Port {port}\nHost pc\n  HostName 127.0.0.1\n"
        "  IdentityFile {root}/id\n"),
    Way("match_not", "Match !host 192.0.2.*\n  Port {port}\nHost pc\n  HostName 127.0.0.1\n  IdentityFile {root}/id\n"),
    Way("match_all", "Match all\n  Port {port}\nHost pc\n  HostName 127.0.0.1\n  IdentityFile {root}/id\n"),
    Way("match_final", "Host pc\n  HostName 127.0.0.1\n  IdentityFile {root}/id\nMatch final host 127.0.0.1\n"
        "  Port {port}\n"),
    Way("include_in_a_block_that_does_not_match", "Host other\n  Include {root}/more\n" + HEAD,
        files={"more": "Port 1\nHostName 192.0.2.1\n"}),
    Way("include_with_a_pattern", "Include {root}/conf.d-*\n", files={"conf.d-1": "Host pc\n  HostName 127.0.0.1\n",
        "conf.d-2": "Host pc\n  Port {port}\n  IdentityFile {root}/id\n"}),
    Way("hostname_with_token", "Host *.1\n  HostName 127.0.%h\n  Port {port}\n  IdentityFile {root}/id\n", alias="0.1"),
    Way("canonical_names_of_an_address", "CanonicalizeHostname yes\nCanonicalDomains example.invalid\n" + HEAD),
    Way("canonical_names_without_fallback", "CanonicalizeHostname yes\nCanonicalDomains example.invalid\n"
        "CanonicalizeFallbackLocal no\nHost pc\n  Port {port}\n", OUT),
)  # fmt: skip

KEYS = (
    Way("identity_with_alias_token", WHERE + "  HostKeyAlias box\n  IdentityFile {root}/id-%k\n",
        known="box {host_key}", key="id2", files={"id-box": "{=id2}"}),
    Way("identity_with_many_tokens", WHERE + "  IdentityFile {root}/id-%n-%p-%r-%%\n", key="id2",
        files={"id-pc-{port}-{user}-%": "{=id2}"}),
    Way("identity_with_a_variable", WHERE + "  IdentityFile ${{AGT_KEYS}}/id2\n", key="id2",
        environ={"AGT_KEYS": "{root}"}),
    Way("identity_with_a_variable_that_is_not_set", WHERE + "  IdentityFile ${{AGT_NONE}}/id2\n", OUT, says="AGT_NONE"),
    Way("identity_with_a_space", WHERE + '  IdentityFile "{root}/my key"\n', files={"my key": "{=id2}"}, key="id2"),
    Way("first_of_several_identities", WHERE + "  IdentityFile {root}/none\n  IdentityFile {root}/id2\n"
        "  IdentityFile {root}/id\n", key="id2"),
    Way("a_broken_key_is_passed_over", WHERE + "  IdentityFile {root}/broken\n  IdentityFile {root}/id\n",
        files={"broken": "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"}),
    Way("a_key_with_a_passphrase_is_passed_over", WHERE + "  IdentityFile {root}/locked\n", OUT, says="passphrase"),
    Way("a_key_that_others_may_read", WHERE + "  IdentityFile {root}/open\n", OUT, says="chmod 600"),
    Way("no_identity", WHERE + "  IdentityFile none\n", OUT),
    Way("agent_by_path", WHERE + "  IdentityAgent {root}/agent\n  IdentityFile {root}/none\n", key="held"),
    Way("agent_by_variable", WHERE + "  IdentityAgent $AGT_AGENT\n  IdentityFile {root}/none\n", key="held",
        environ={"AGT_AGENT": "{root}/agent"}),
    Way("agent_of_the_environment", WHERE + "  IdentityAgent SSH_AUTH_SOCK\n  IdentityFile {root}/none\n", key="held",
        environ={"SSH_AUTH_SOCK": "{root}/agent"}),
    Way("agent_none", WHERE + "  IdentityAgent none\n  IdentityFile {root}/none\n", OUT,
        environ={"SSH_AUTH_SOCK": "{root}/agent"}),
    Way("agent_before_files", HEAD + "  IdentityAgent {root}/agent\n", key="held"),
    Way("only_named_identities", HEAD + "  IdentityAgent {root}/agent\n  IdentitiesOnly yes\n"),
    Way("only_the_public_half_is_named", WHERE + "  IdentityAgent {root}/agent\n  IdentitiesOnly yes\n"
        "  IdentityFile {root}/held.pub\n", key="held"),
    Way("a_locked_key_that_the_agent_has", WHERE + "  IdentityAgent {root}/agent\n  IdentitiesOnly yes\n"
        "  IdentityFile {root}/held-locked\n", key="held"),
    Way("certificate_of_a_key", WHERE + "  IdentityFile {root}/signed\n  CertificateFile {root}/cert-%h.pub\n",
        key="signed", files={"cert-127.0.0.1.pub": "{=signed-elsewhere.pub}"}),
    Way("certificate_of_a_key_in_the_agent", WHERE + "  IdentityAgent {root}/agent\n  IdentitiesOnly yes\n"
        "  IdentityFile {root}/agent-signed.pub\n  CertificateFile {root}/agent-cert.pub\n", key="agent-signed"),
    Way("a_key_without_its_certificate", WHERE + "  IdentityFile {root}/signed\n", OUT),
    Way("pubkey_unbound", HEAD + "  PubkeyAuthentication unbound\n"),
    Way("pubkey_host_bound", HEAD + "  PubkeyAuthentication host-bound\n"),
    Way("pubkey_off", HEAD + "  PubkeyAuthentication no\n", OUT, says="PubkeyAuthentication"),
    Way("passwords_preferred", HEAD + "  PreferredAuthentications password\n", OUT, says="PreferredAuthentications"),
    Way("key_kinds_that_are_not_accepted", HEAD + "  PubkeyAcceptedAlgorithms rsa-sha2-512\n", OUT),
    Way("a_short_rsa_key", WHERE + "  IdentityFile {root}/rsa\n  RequiredRSASize 3072\n", OUT, says="RequiredRSASize"),
    Way("an_rsa_key", WHERE + "  IdentityFile {root}/rsa\n", key="rsa"),
    Way("pkcs11", WHERE + "  PKCS11Provider /nowhere.so\n  IdentityFile none\n", OUT, says="PKCS11Provider"),
)  # fmt: skip

HOST_KEYS = (
    Way("unknown_key", HEAD, OUT, known="", says="not known"),
    Way("changed_key", HEAD, OUT, known="[127.0.0.1]:{port} {other_key}", says="CHANGED"),
    Way("known_without_the_port", HEAD, known="127.0.0.1 {host_key}"),
    Way("another_kind_is_known", HEAD, OUT, known="[127.0.0.1]:{port} {rsa_key}", says="not known"),
    Way("broken_lines_are_passed_over", HEAD,
        known="garbage\n@what x y z\n|1|x|y ssh-ed25519 AAAA\n[127.0.0.1]:{port} ssh-ed25519 AAAA\n"
        "[127.0.0.1]:{port} {host_key} a comment"),
    Way("hashed_names", HEAD + "  HashKnownHosts yes\n", known="{hashed}"),
    Way("wildcards", HEAD, known="[127.0.?.*]:* {host_key}"),
    Way("a_negated_pattern", HEAD, OUT, known="[127.0.0.*]:*,![127.0.0.1]:{port} {host_key}"),
    Way("revoked_in_known_hosts", HEAD, OUT,
        known="[127.0.0.1]:{port} {host_key}\n@revoked * {host_key}", says="revoked"),
    Way("alias_of_the_key", HEAD + "  HostKeyAlias Box\n", known="box {host_key}"),
    Way("alias_that_is_not_known", HEAD + "  HostKeyAlias box\n", OUT, says="of box is not known"),
    Way("alias_goes_without_a_port", HEAD + "  HostKeyAlias box\n", OUT, known="[box]:{port} {host_key}"),
    Way("known_by_address_only", "Host pc\n  HostName localhost\n  AddressFamily inet\n  Port {port}\n"
        "  IdentityFile {root}/id\n", OUT),
    Way("address_of_this_machine_is_contradicted",
        "Host pc\n  HostName localhost\n  AddressFamily inet\n  Port {port}\n"
        "  IdentityFile {root}/id\n  CheckHostIP yes\n  StrictHostKeyChecking yes\n",
        known="[localhost]:{port} {host_key}\n[127.0.0.1]:{port} {other_key}"),
    Way("known_hosts_with_token", HEAD + "  UserKnownHostsFile {root}/kh-%h-%n\n", known="",
        files={"kh-127.0.0.1-pc": "[127.0.0.1]:{port} {host_key}\n"}),
    Way("known_hosts_with_a_space", HEAD + '  UserKnownHostsFile "{root}/my hosts" {root}/none\n', known="",
        files={"my hosts": "[127.0.0.1]:{port} {host_key}\n"}),
    Way("second_known_hosts_file", HEAD + "  UserKnownHostsFile {root}/kh1 {root}/kh2\n", known="",
        files={"kh1": "other {host_key}\n", "kh2": "[127.0.0.1]:{port} {host_key}\n"}),
    Way("global_known_hosts", HEAD + "  UserKnownHostsFile none\n  GlobalKnownHostsFile {root}/kh\n", known="",
        files={"kh": "[127.0.0.1]:{port} {host_key}\n"}),
    Way("no_known_hosts", HEAD + "  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n", OUT, known=""),
    Way("command_tells", HEAD + "  KnownHostsCommand {root}/tell %H\n", known="",
        files={"!tell": '#!/bin/sh\necho "$1 {host_key}"\n'}),
    Way("command_tells_of_the_key_shown", HEAD + "  KnownHostsCommand {root}/tell %I %H %t %K %f\n", known="",
        files={"!tell": '#!/bin/sh\n[ "$1" = HOSTNAME ] && [ "$3 $4" = "{host_key}" ] && echo "$2 $3 $4"\nexit 0\n'}),
    Way("command_tells_another_key", HEAD + "  KnownHostsCommand {root}/tell %H\n", OUT, known="",
        files={"!tell": '#!/bin/sh\necho "$1 {other_key}"\n'}),
    Way("command_fails", HEAD + "  KnownHostsCommand {root}/tell %H\n", OUT, known="",
        files={"!tell": '#!/bin/sh\necho "$1 {host_key}"\nexit 1\n'}),
    Way("command_tells_a_key_that_the_krl_revokes", HEAD + "  KnownHostsCommand {root}/tell %H\n"
        "  RevokedHostKeys {root}/krl\n", OUT, known="", files={"!tell": '#!/bin/sh\necho "$1 {host_key}"\n'}),
    Way("command_tells_a_key_that_the_krl_leaves", HEAD + "  KnownHostsCommand {root}/tell %H\n"
        "  RevokedHostKeys {root}/krl-others\n", known="", files={"!tell": '#!/bin/sh\necho "$1 {host_key}"\n'}),
    Way("command_tells_an_authority_and_there_is_a_krl", HEAD + "  KnownHostsCommand {root}/tell %H\n"
        "  RevokedHostKeys {root}/krl-others\n", IN, "with a binary list certificates are not taken", known="",
        server="two", files={"!tell": '#!/bin/sh\necho "@cert-authority $1 {ca_key}"\n'}),
    Way("command_revokes_a_known_key", HEAD + "  KnownHostsCommand {root}/tell %H\n", OUT,
        files={"!tell": '#!/bin/sh\necho "@revoked $1 {host_key}"\n'}, says="revoked"),
    Way("authority", HEAD, known="@cert-authority [127.0.0.1]:* {ca_key}", server="two"),
    Way("authority_of_another_name", HEAD, OUT, known="@cert-authority other {ca_key}", server="two"),
    Way("certificate_of_a_revoked_key", HEAD, OUT, known="@cert-authority [127.0.0.1]:* {ca_key}\n"
        "@revoked [127.0.0.1]:* {host_key}", server="two", says="revoked"),
    Way("certificate_of_another_name", HEAD + "  HostKeyAlias box\n", OUT, known="@cert-authority box {ca_key}",
        server="two"),
    Way("certificate_does_not_hold_but_the_key_is_known", HEAD + "  HostKeyAlias box\n",
        known="@cert-authority box {ca_key}\nbox {host_key}", server="two"),
    Way("revoked_list", HEAD + "  RevokedHostKeys {root}/out\n", OUT, files={"out": "{host_key}\n"}, says="revoked"),
    Way("revoked_list_of_others", HEAD + "  RevokedHostKeys {root}/out\n", files={"out": "{other_key}\n"}),
    Way("revoked_krl", HEAD + "  RevokedHostKeys {root}/krl\n", OUT),
    Way("revoked_krl_of_others", HEAD + "  RevokedHostKeys {root}/krl-others\n"),
    Way("revoked_list_that_is_not_there", HEAD + "  RevokedHostKeys {root}/none\n", OUT, says="RevokedHostKeys"),
    Way("strict_no", HEAD + "  StrictHostKeyChecking no\n", IN, "unknown keys are never taken", known="",
        says="StrictHostKeyChecking in the ssh config is ignored"),
    Way("strict_accept_new", HEAD + "  StrictHostKeyChecking accept-new\n", IN, "unknown keys are never taken",
        known=""),
    Way("strict_yes", HEAD + "  StrictHostKeyChecking yes\n"),
    Way("strict_no_changed", HEAD + "  StrictHostKeyChecking no\n", IN, "changed keys are never taken",
        known="[127.0.0.1]:{port} {other_key}", says="CHANGED"),
    Way("localhost_is_not_checked", HEAD + "  NoHostAuthenticationForLocalhost yes\n", IN, "every key is checked",
        known="", says="NoHostAuthenticationForLocalhost"),
)  # fmt: skip

WAY_THERE = (
    Way("proxy_command_by_a_shell", HEAD + "  ProxyCommand sh -c 'exec ssh -F \"$AGT_JUMP\" -W \"$0:$1\" gate' %h %p\n",
        environ={"AGT_JUMP": "{jump_config}"}),
    Way("proxy_command_that_complains", HEAD + "  ProxyCommand sh -c 'echo hello there >&2; exec ssh -F {jump_config}"
        " -W %h:%p gate'\n"),
    Way("proxy_command_that_fails", HEAD + "  ProxyCommand sh -c 'echo no way today >&2; exit 3'\n", OUT,
        says="no way today"),
    Way("proxy_command_none", HEAD + "  ProxyCommand none\nHost *\n  ProxyCommand false\n"),
    Way("proxy_jump", HEAD + "  ProxyJump gate\n{gate}"),
    Way("proxy_jump_with_tokens", HEAD + "  ProxyJump %n-gate\nHost pc-gate\n{gate_lines}"),
    Way("proxy_jump_spelled_out", HEAD + "  ProxyJump {user}@127.0.0.1:{gate_port}\nHost 127.0.0.1\n"
        "  IdentityFile {root}/id\n"),
    Way("proxy_jump_that_does_not_answer", HEAD + "  ProxyJump 127.0.0.1:1\n", OUT),
    Way("proxy_jump_none", HEAD + "  ProxyJump none\nHost *\n  ProxyJump 127.0.0.1:1\n"),
    Way("address_family", HEAD.replace("127.0.0.1", "localhost") + "  AddressFamily inet\n",
        known="[localhost]:{port} {host_key}"),
    Way("address_family_of_the_other_kind", HEAD + "  AddressFamily inet6\n", OUT),
    Way("bind_address", HEAD + "  BindAddress 127.0.0.2\n"),
    Way("bind_address_of_another_machine", HEAD + "  BindAddress 192.0.2.1\n", OUT),
    Way("algorithms", HEAD + "  Ciphers aes128-ctr\n  MACs hmac-sha2-256\n  KexAlgorithms curve25519-sha256\n"
        "  Compression yes\n  HostKeyAlgorithms ssh-ed25519\n"),
    Way("host_key_kinds_that_the_server_lacks", HEAD + "  HostKeyAlgorithms ecdsa-sha2-nistp256\n", OUT),
)  # fmt: skip

OWN_SESSIONS = (
    Way("control_master", HEAD + "  ControlMaster auto\n  ControlPath {root}/cm-%C\n  ControlPersist no\n"),
    Way("remote_command_and_terminal", HEAD + "  RemoteCommand echo no\n  RequestTTY force\n",
        words=("-o", "RemoteCommand=none")),
    Way("environment", HEAD + '  SetEnv A=1 "B=2 3"\n  SendEnv LANG\n'),
    Way("forwardings", HEAD + "  ForwardAgent yes\n  LocalForward 127.0.0.1:{free} 127.0.0.1:1\n"
        "  DynamicForward {free2}\n  PermitLocalCommand yes\n  LocalCommand true\n"),
)  # fmt: skip

ALL = (*WRITING, *MATCHING, *KEYS, *HOST_KEYS, *WAY_THERE, *OWN_SESSIONS)
