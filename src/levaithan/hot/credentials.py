"""Which files hold credentials, by where they lie and what they are called: paths in, what is in the file in words out.

Data with a small reader. Looks at names only, never into a file; patterns (`~/.ssh/*`, `.env*`) count as what they may
stand for. Standard library only; imports nothing.
"""

from __future__ import annotations

_KEY, _CLOUD, _LOGIN, _TOKEN = "a private key", "cloud credentials", "logins and passwords", "an access token"
_STATE, _STORE, _COOKIES, _PAST = "secrets in plain text", "a store of passwords", "a browser's logins", "shell history"
_ACCOUNTS, _WALLET, _SERVICE = "the passwords of this machine", "a wallet", "a service's secrets"

_NAME_ROWS: dict[str, str] = {
    _KEY: "id_rsa id_dsa id_ecdsa id_ed25519 id_ed25519_sk id_ecdsa_sk identity.pem privkey.pem "
    "private.pem key.pem master.key "
    "secret.key private.key server.key client.key tls.key journal.key ssh_host_rsa_key ssh_host_ecdsa_key "
    "ssh_host_ed25519_key ssh_host_dsa_key secring.gpg",
    _LOGIN: ".netrc _netrc .git-credentials .pgpass .my.cnf .mylogin.cnf .htpasswd .authinfo .authinfo.gpg .msmtprc "
    ".fetchmailrc .smbcredentials .dockercfg .vault_pass .vault-pass .vault_password vault_pass.txt vault_password "
    "wp-config.php .htdigest",
    _TOKEN: ".pypirc .vault-token credentials.tfrc.json .terraformrc .databrickscfg .s3cfg .boto .credentials.json "
    "oauth_creds.json token.pickle client_secret.json client_secrets.json kaggle.json .cargo-credentials "
    ".credentials "
    ".npmrc .yarnrc.yml",
    _CLOUD: "application_default_credentials.json access_tokens.db msal_token_cache.json accesstokens.json "
    "service_principal_entries.json serviceaccountkey.json service-account.json service_account.json credentials.json "
    "gcp-key.json gcloud-key.json kubeconfig kubeconfig.yaml kubeconfig.yml rootkey.csv accesskeys.csv",
    _STATE: "terraform.tfstate terraform.tfstate.backup secrets.yml secrets.yaml secrets.json secrets.toml secrets.env "
    "secrets.txt .secrets .envrc env.local .dev.vars secrets.auto.tfvars secrets.tfvars secret.tfvars terraform.tfvars "
    "local.settings.json",
    _STORE: "login.keyring passwords.kdbx bitwarden.json logins.json key3.db key4.db signons.sqlite",
    _COOKIES: "cookies.sqlite",
    _PAST: ".bash_history .zsh_history .sh_history .history .python_history .psql_history "
    ".mysql_history .node_repl_history "
    ".rediscli_history .sqlite_history .mongo_history fish_history .zhistory .lesshst consolehost_history.txt",
    _WALLET: "wallet.dat electrum.dat default_wallet",
}
_NAMES: dict[str, str] = {name: kind for kind, names in _NAME_ROWS.items() for name in names.split()}

_PATH_ROWS: dict[str, str] = {
    _CLOUD: ".aws/credentials .config/gcloud/credentials.db .azure/azureprofile.json .oci/config .bluemix/config.json "
    ".ibmcloud/config.json .config/doctl/config.yaml .kube/config .aliyun/config.json .tccli/default.credential "
    "etc/kubernetes/admin.conf etc/kubernetes/kubelet.conf k3s/k3s.yaml .minikube/client.key .linode-cli "
    ".config/linode-cli .scw/config.yaml .config/scw/config.yaml .config/hcloud/cli.toml",
    _TOKEN: ".config/gh/hosts.yml .config/hub .config/glab-cli/config.yml .fly/config.yml .netlify/config.json "
    ".config/netlify/config.json .vercel/auth.json com.vercel.cli/auth.json .railway/config.json "
    ".config/stripe/config.toml "
    ".cargo/credentials .cargo/credentials.toml .gem/credentials .m2/settings.xml .m2/settings-security.xml "
    ".gradle/gradle.properties .composer/auth.json .config/composer/auth.json .nuget/nuget.config "
    ".pulumi/credentials.json "
    ".terraform.d/credentials.tfrc.json .ngrok2/ngrok.yml .config/ngrok/ngrok.yml .huggingface/token "
    "huggingface/token .codex/auth.json .config/github-copilot/hosts.json .config/github-copilot/apps.json "
    ".cloudflared/cert.pem .wrangler/config/default.toml .config/configstore/firebase-tools.json .sentryclirc "
    ".config/heroku/credentials .snowflake/connections.toml .snowsql/config .dbt/profiles.yml "
    ".jupyter/jupyter_server_config.json "
    "kubernetes.io/serviceaccount/token eks.amazonaws.com/serviceaccount/token azure/tokens/azure-identity-token "
    ".config/openai/auth.json .config/op/config .config/rclone/rclone.conf .rclone.conf",
    _LOGIN: ".docker/config.json .config/containers/auth.json containers/auth.json .davfs2/secrets "
    ".config/hexchat/servlist.conf "
    ".config/git/credentials .subversion/auth .config/neomutt/password etc/ppp/chap-secrets etc/wpa_supplicant.conf",
    _ACCOUNTS: "etc/shadow etc/shadow- etc/gshadow etc/gshadow- etc/master.passwd etc/sudoers etc/security/opasswd "
    "etc/krb5.keytab etc/docker/key.json",
    _COOKIES: "library/cookies/cookies.binarycookies",
    _STORE: ".config/bitwarden cli/data.json .local/share/keyrings .config/1password library/keychains",
    _WALLET: ".config/solana/id.json .electrum/wallets .bitcoin/wallet.dat .ethereum/keystore",
    _SERVICE: ".streamlit/secrets.toml",
}
_PATHS: dict[str, str] = {path: kind for kind, paths in _PATH_ROWS.items() for path in paths.split(" ")}
_LAST_OF_PATHS = frozenset(path.rsplit("/", 1)[-1] for path in _PATHS)

_ENDINGS: dict[str, str] = {
    **dict.fromkeys(("pem", "key", "ppk", "p12", "pfx", "jks", "keystore", "p8", "asc", "keytab"), _KEY),
    **dict.fromkeys(("kdbx", "kdb", "keychain", "keychain-db", "keyring", "agilekeychain", "1pux"), _STORE),
    **dict.fromkeys(("tfstate",), _STATE),
    **dict.fromkeys(("ovpn", "rdp"), _LOGIN),
}
_BUNDLES = frozenset(("p12", "pfx", "jks", "keystore", "p8", "ppk"))
"""Always with a private key in them, whatever they are called."""
_DATA = frozenset(
    ("txt", "csv", "json", "yml", "yaml", "ini", "conf", "cfg", "toml", "properties", "xml", "bak", "old")
)
_PASSWORDS = frozenset(("password", "passwords", "passwd", "passphrase", "passphrases", "logins"))
_HOLDINGS: tuple[str, ...] = ("credentials", "creds", "apikeys", "apikey", "apitokens", "secretkeys", "servicekey")
_HOLDINGS += ("serviceaccountkey", "privatekeys", "accesskeys")
_KEYS_ALONE = ("privatekey", "deploykey", "sshkey", "hostkey", "masterkey")
_MADE_UP = ("test", "example", "sample", "mock", "fake", "dummy", "fixture", "invalid")
_MADE_UP_FOLDERS = frozenset(
    ("fixtures", "__fixtures__", "testdata", "examples", "mocks", "__mocks__", "templates", "locales", "i18n", "lang")
)
"""Plain data that is called by what it holds, and where such a name is a text about it."""
_PUBLIC_MARKS = ("pub", "cert", "chain", "bundle", "dhparam", "root", "csr", "public", "crl", "trust")
"""In the name of a *.pem, *.key or *.asc: not a secret. `ca` counts as a word of its own."""

_FOLDERS: dict[str, tuple[str, frozenset[str]]] = {
    ".ssh": (
        _KEY,
        frozenset(("known_hosts", "known_hosts.old", "config", "authorized_keys", "config.d", "environment")),
    ),
    ".gnupg": (
        _KEY,
        frozenset(("pubring.kbx", "pubring.gpg", "trustdb.gpg", "gpg.conf", "gpg-agent.conf", "dirmngr.conf")),
    ),
    ".aws": (_CLOUD, frozenset(("config",))),
    ".azure": (_CLOUD, frozenset(("config", "clouds.config", "logs", "commands", "cliextensions"))),
    "gcloud": (_CLOUD, frozenset(("configurations", "logs", "active_config", "gce"))),
    ".password-store": (_STORE, frozenset((".gpg-id", ".git"))),
    "keychains": (_STORE, frozenset()),
    "keyrings": (_STORE, frozenset()),
    "system-connections": (_LOGIN, frozenset()),
    "wireguard": (_KEY, frozenset()),
    "sudoers.d": (_ACCOUNTS, frozenset(("readme",))),
    ".1password": (_STORE, frozenset(("agent.sock",))),
    "secrets": (_SERVICE, frozenset()),
}
"""Folders with all in them, and what in them is harmless. `gcloud`, `wireguard` and `secrets` count in their
places only."""
_IN_PLACE: dict[str, tuple[str, ...]] = {
    "gcloud": (".config",),
    "wireguard": ("etc",),
    "secrets": ("run",),
    "keychains": ("library",),
    "keyrings": ("share",),
    "sudoers.d": ("etc",),
}
_MOUNTED = frozenset(("namespace", "ca.crt", "service-ca.crt", "..data"))
"""What a container finds beside its token: no secrets."""
_BROWSERS = (
    "google-chrome", "google/chrome", "chromium", "bravesoftware", "microsoft-edge", "microsoft edge",
    "firefox", "vivaldi",
    "opera", "arc/user data", "librewolf",
)  # fmt: skip
_BROWSER_FILES = frozenset(
    ("cookies", "login data", "web data", "local state", "login data for account", "cookies-journal")
)
_SAMPLES = (
    "example",
    "template",
    "sample",
    "dist",
    "default",
    "schema",
    "tpl",
    "tmpl",
    "ejs",
    "ts",
    "md",
    "j2",
    "defaults",
)
_TEXTS = frozenset(
    ("md", "rst", "adoc", "html", "py", "ts", "tsx", "js", "go", "rs", "java", "rb", "php", "c", "h", "cs", "snap")
)


def kind_of(path: str) -> str | None:
    """What is in the credential file `path` (absolute, relative or a pattern), in words; None when it is no
    such file."""
    low = path.lower().rstrip("/ ")
    parts = low.split("/")
    name = parts[-1]
    if not name or name.endswith(".pub"):
        return None
    if "*" in name or "?" in name or "[" in name:
        name = parts[-1] = _likely(name)
    return _by_name(name, parts) or _by_path(name, parts, low)


_LIKELY = (".env", "id_rsa", "id_ed25519", "credentials", ".netrc", ".npmrc", ".pgpass", "secrets.yml", "server.pem")


def _likely(pattern: str) -> str:
    """A name of a credential file that the shell may make of `pattern`, when it says enough of one; else `pattern`."""
    plain = pattern.replace("*", "").replace("?", "")
    if len(plain) < 3 or pattern.startswith("*"):
        return pattern
    from fnmatch import fnmatchcase

    lead = pattern[: min(pattern.find(mark) for mark in "*?[" if mark in pattern)]
    return next((name for name in _LIKELY if name.startswith(lead) and fnmatchcase(name, pattern)), pattern)


def is_history(path: str) -> bool:
    """Whether `path` is what a shell or client remembers of what was typed."""
    return _NAMES.get(path.lower().rsplit("/", 1)[-1]) == _PAST


def _by_name(name: str, parts: list[str]) -> str | None:
    found = _NAMES.get(name)
    if found:
        template = len(parts) > 1 and parts[-2] in ("templates", "fixtures", "examples", "testdata")
        return None if template and found is _STATE else found
    if ".env" in name:
        return _STATE if _is_environment(name) else None
    if name.startswith("id_") and name.rstrip("*?").startswith(("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")):
        return _KEY if name.rpartition(".")[2] not in _TEXTS else None
    found = _by_ending(name)
    if found is None and ("key" in name or "cred" in name or "pass" in name or "account" in name or "_" in name):
        return _by_words(name, parts)
    return found


def _by_words(name: str, parts: list[str]) -> str | None:
    """passwords.txt, aws-creds.json, deploy_key, .vault-password: plain data called by what it holds."""
    stem, _, ending = name.rpartition(".") if "." in name[1:] else (name, "", "")
    flat = stem.replace("_", "").replace("-", "").replace(".", "")
    if not ending and (flat.endswith(_KEYS_ALONE) or stem.endswith(("_rsa", "_ed25519", "_ecdsa"))):
        return _KEY
    if stem.startswith(".vault") and "pass" in stem and ending in ("", "txt"):
        return _LOGIN
    if ending not in _DATA or flat.startswith(_MADE_UP) or not _MADE_UP_FOLDERS.isdisjoint(parts):
        return None
    if flat in _PASSWORDS:
        return _LOGIN if ending not in ("json", "yml", "yaml", "xml", "properties") else None  # texts of a form
    if ending == "json" and flat.endswith("serviceaccount"):
        return _CLOUD  # of YAML it is a manifest of Kubernetes, without a key
    return _LOGIN if flat.endswith(_HOLDINGS) else None


def _by_ending(name: str) -> str | None:
    stem, _, ending = name.rpartition(".")
    kind = _ENDINGS.get(ending)
    if kind is None or not stem:
        if name.endswith(".tfstate.backup") or ("firebase-adminsdk" in name and ending == "json"):
            return _CLOUD
        return _PAST if name.endswith("_history") and name.startswith(".") else None
    public = any(mark in stem for mark in _PUBLIC_MARKS) or "ca" in stem.replace("_", "-").replace(".", "-").split("-")
    if kind is _KEY and public and ending not in _BUNDLES:
        return None
    if ending == "asc":
        return _KEY if any(word in stem for word in ("secret", "private", "priv", "sec")) else None
    return kind


def _is_environment(name: str) -> bool:
    """.env, .env.local, prod.env, .env*; not .env.example, and not a module called environment."""
    if name == ".env" or name.endswith((".env", ".env*", ".env?")):
        return name.partition(".env")[0] not in _SAMPLES
    if not name.startswith(".env"):
        return False
    rest = name[4:]
    return rest[:1] in (".", "-", "_", "*", "?", "[", "~") and not any(
        part in _SAMPLES for part in rest.replace("-", ".").split(".")
    )


_OF_PROCESSES = {
    "environ": "the secrets in a process's environment",
    "mem": "the memory of a process",
    "kcore": "the memory of a process",
}


def _by_path(name: str, parts: list[str], low: str) -> str | None:
    if name in _LAST_OF_PATHS:
        for count in (2, 3, 1):
            kind = _PATHS.get("/".join(parts[-count:]))
            if kind:
                return kind
    if name == ".yarnrc":
        return _TOKEN if _at_home(parts) else None
    if "proc" in parts and name in _OF_PROCESSES:
        return _OF_PROCESSES[name]
    if name in _BROWSER_FILES and any(browser in low for browser in _BROWSERS):
        return _COOKIES
    if name.startswith("utc--") or (len(parts) > 1 and parts[-2] == "keystore" and ".ethereum" in parts):
        return _WALLET
    return _in_folder(name, parts)


def _in_folder(name: str, parts: list[str]) -> str | None:
    if _FOLDERS.keys().isdisjoint(parts):
        return None
    for at, part in enumerate(parts):
        row = _FOLDERS.get(part)
        if row is None or (part in _IN_PLACE and (not at or parts[at - 1] not in _IN_PLACE[part])):
            continue
        kind, harmless = row
        if kind is _SERVICE:
            return None if name in _MOUNTED or at == len(parts) - 1 or _is_note(parts) else kind
        if at == len(parts) - 1 or parts[at + 1] not in harmless:
            return kind
    return None


def _is_note(parts: list[str]) -> bool:
    """What lies beside an identity token in a folder of a container and is none: azure/tokens/namespace and
    the like."""
    return "tokens" in parts and "token" not in parts[-1]


def _at_home(parts: list[str]) -> bool:
    """Whether the file lies directly in a user's home folder, where its tokens are."""
    above = parts[:-1]
    if above in (["~"], ["", "root"]):
        return True
    return len(above) == 3 and above[0] == "" and above[1] in ("home", "users")
