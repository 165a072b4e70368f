"""What is known of programs' command lines: which options take a value, other names of the same program.

VALUED is as in shell_options.py: single letters glued in the first word, then long names. Data only; imports nothing.
"""

from __future__ import annotations

ABBREVIATING = frozenset(("git", "rm", "chmod", "chown", "cp", "mv", "tar", "rsync", "shred", "userdel", "find"))
"""Programs that take the beginning of a long option for it."""

_AWS = "output query profile region endpoint-url cli-connect-timeout cli-read-timeout ca-bundle color"
_KUBE = (
    "nflosc namespace context cluster kubeconfig user server token as as-group request-timeout cache-dir "
    "certificate-authority client-key client-certificate tls-server-name selector field-selector output filename "
    "container grace-period timeout replicas"
)
_DOCKER = (
    "HclfvepumwnN host context log-level config tlscacert tlscert tlskey filter file project-name profile env-file"
)
_DOCKER += " project-directory volume env publish user name network workdir entrypoint mount label time signal"
_GCLOUD = "project account configuration format filter zone region verbosity flags-file impersonate-service-account"
_SQL = "hpPUdcfvLoFTR host port user password database execute command dbname username file socket set output"

VALUED: dict[str, str] = {
    "git": "Ccmo git-dir work-tree namespace exec-path config-env super-prefix message author date pathspec-from-file",
    "kubectl": _KUBE,
    "oc": _KUBE,
    "helm": "nf namespace kube-context kubeconfig kube-apiserver values set version timeout",
    "docker": _DOCKER,
    "podman": _DOCKER + " url connection root identity",
    "nerdctl": _DOCKER,
    "aws": f" {_AWS}",
    "gcloud": f" {_GCLOUD}",
    "gsutil": "ohu",
    "az": "gnso name resource-group subscription output query ids vault-name account-name",
    "gh": "RXfFHqtmbBda repo method field raw-field header input jq template hostname org env app body title",
    "glab": "RXfFHR repo method field raw-field header group hostname",
    "nginx": "scgpe",
    "haproxy": "fpLnNCxS",
    "curlie": "XdH request data header",
    "terraform": " chdir var var-file target state out backend-config lock-timeout parallelism replace",
    "xargs": "aEILnPsd arg-file delimiter eof replace max-lines max-args max-procs max-chars process-slot-var",
    "pg_dump": "FfhpUdntTNjZES file format jobs host port username dbname table schema encoding",
    "pg_restore": "FfhpUdntPTIjLNS file format jobs host port username dbname table schema function trigger index",
    "truncate": "sr size reference",
    "psql": _SQL,
    "mysql": "hPueDS host port user password execute database socket defaults-file",
    "redis-cli": "hpansuid host port user pass uri",
    "npm": "w workspace prefix registry tag otp userconfig cache",
    "pip": "rcitfe requirement constraint index-url extra-index-url target find-links editable prefix root",
    "systemctl": "HMtpsno host machine type property signal lines output root",
    "crontab": "u user",
    "rclone": " config transfers checkers filter include exclude min-age max-age bwlimit log-file",
    "ansible": "iamulefbtMcT inventory args module-name user limit extra-vars forks",
    "vault": " address namespace format field",
    "heroku": "ar app remote",
    "restic": "rpo repo password-file option host tag path keep-last keep-daily keep-weekly keep-monthly keep-yearly",
    "sudo": "ugphCDRTt",
    "chmod": " reference",
    "useradd": "Ggudcsp groups gid uid home-dir comment shell password",
    "usermod": "Ggudcslp groups gid uid home comment shell login password",
    "iptables": "tApsdjio table append proto source destination jump",
    "curl": "XdHoFubAeTmKxUw request data header output form user cookie user-agent referer "
    "upload-file max-time config "
    "proxy data-raw data-binary data-urlencode json url connect-timeout write-out retry cacert cert key",
    "wget": "OPUo output-document directory-prefix user-agent header post-data post-file method body-data body-file "
    "tries timeout",
    "nc": "epswXxIOTi",
    "gpg": "uro output recipient local-user homedir",
    "restorecon": "",
    "kops": " name state config",
}

_SHORT = {
    "rabbitmqctl": "np", "rabbitmqadmin": "HPupVc", "fly": "ac", "flyctl": "ac", "wrangler": "ce", "nats": "s",
    "pulumi": "Cs", "minikube": "p", "dbmate": "ued", "alembic": "cxn", "flask": "Ae", "doctl": "tcu", "velero": "n",
    "celery": "Ab", "drush": "lr", "virsh": "c", "doppler": "pct", "sentry-cli": "op", "s3cmd": "c", "mc": "C",
    "vercel": "tSA", "firebase": "P", "cdk": "ac", "sls": "sr", "serverless": "sr", "helmfile": "efnl", "argo": "n",
    "flux": "n", "istioctl": "nci", "argocd": "N", "rpk": "X", "snow": "c", "tkn": "n", "eksctl": "pr",
    "linkerd": "nL", "skaffold": "fnp", "tilt": "f", "okteto": "nfc",
}  # fmt: skip
_USUAL = (
    "profile region namespace context cluster config config-file file project project-id project-ref env environment "
    "app "
    "host port user username password url uri server token endpoint endpoints address addr http-addr bootstrap-server "
    "bootstrap-servers zookeeper stage org organization account workspace workdir dir cwd chdir directory repo "
    "repository database database-url db schema stack output format log-level loglevel timeout kubeconfig kube-context "
    "location zone scope team api-key access-token auth-token cacert cert key ssh-key credentials vhost state owner "
    "changelog-file changeLogFile defaultsFile defaults-file dsn driver path os-cloud settings node longnode target"
)
"""Options that take a value wherever they are known: of programs that have no row of their own."""

ALIASES: dict[str, tuple[str, ...]] = {
    "docker-compose": ("docker", "compose"),
    "podman-compose": ("podman", "compose"),
    "tofu": ("terraform",),
    "terragrunt": ("terraform",),
    "pip3": ("pip",),
    "mariadb": ("mysql",),
    "k": ("kubectl",),
    "g": ("git",),
    "tf": ("terraform",),
    "ip6tables": ("iptables",),
    "valkey-cli": ("redis-cli",),
    "doas": ("sudo",),
}
"""A program's other names, with the words that the name stands for."""


_usual = frozenset(_USUAL.split(" "))
_valued: dict[str, tuple[str, frozenset[str]]] = {}


def valued(name: str) -> tuple[str, frozenset[str]]:
    """The options of the program `name` that take a value: letters, and long names."""
    row = VALUED.get(name)
    if row is None:
        return _SHORT.get(name, ""), _usual
    found = _valued.get(name)
    if found is None:
        short, _, long = row.partition(" ")
        found = _valued[name] = short, frozenset(long.split(" "))
    return found
