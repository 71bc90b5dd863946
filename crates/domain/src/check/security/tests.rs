//! A pod that is closed, and what each rule has against one line of it that is changed.

use chrono::NaiveDate;

use super::certificate::{Certificate, base64};
use super::*;
use crate::check::finding::Level;

const GOOD: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: { name: game }
spec:
  selector: { matchLabels: { app: game } }
  template:
    metadata: { labels: { app: game } }
    spec:
      automountServiceAccountToken: false
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: RuntimeDefault } }
      volumes: [{ name: tmp, emptyDir: {} }]
      containers:
        - name: server
          image: game:7
          ports: [{ containerPort: 8080 }]
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: game }
spec: { podSelector: { matchLabels: { app: game } }, policyTypes: [Ingress, Egress] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: game }
data: { ROOMS: "7" }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: game }
rules: [{ apiGroups: [""], resources: [configmaps], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: game }
roleRef: { kind: Role, name: game }
subjects: [{ kind: ServiceAccount, name: game }]
"#;

fn look(text: &str) -> Outcomes {
    let mut all = Manifests::default();
    all.read("game.yaml", text);
    let mut out = Outcomes { today: NaiveDate::from_ymd_opt(2026, 11, 30), ..Outcomes::default() };
    manifests(&all, &mut out);
    out
}

#[test]
fn a_closed_pod_passes() {
    let out = look(GOOD);
    assert_eq!(out.found.findings, []);
    assert_eq!(out.found.unknown, []);
}

#[test]
fn each_rule_has_something_against_one_line() {
    use Level::{Blocker, High, Low, Medium};
    let pod = "automountServiceAccountToken: false";
    for (from, to, id, level) in [
        (pod, "automountServiceAccountToken: false\n      hostNetwork: true", "S01", High),
        (pod, "automountServiceAccountToken: false\n      hostPID: true", "S01", High),
        ("emptyDir: {}", "hostPath: { path: /srv }", "S01", High),
        ("emptyDir: {}", "hostPath: { path: /var/run/docker.sock }", "S01", Blocker),
        ("emptyDir: {}", "hostPath: { path: /etc/ }", "S01", Blocker),
        ("containerPort: 8080", "containerPort: 8080, hostPort: 80", "S01", High),
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: true\n            privileged: true", "S01", Blocker),
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "S02", High),
        ("drop: [ALL]", "drop: [NET_RAW]", "S02", High),
        ("drop: [ALL]", "drop: [ALL], add: [CHOWN]", "S02", High),
        ("drop: [ALL]", "drop: [ALL], add: [CAP_SYS_ADMIN]", "S02", Blocker),
        ("runAsNonRoot: true, runAsUser: 1000,", "runAsNonRoot: false,", "S03", High),
        ("runAsNonRoot: true, runAsUser: 1000,", "runAsUser: 0,", "S03", High),
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "S04", Medium),
        ("type: RuntimeDefault", "type: Unconfined", "S04", Medium),
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: true\n            procMount: Unmasked", "S04", High),
        ("runAsUser: 1000,", "runAsUser: 1000, sysctls: [{ name: kernel.msgmax, value: \"1\" }],", "S04", High),
        (pod, "hostNetwork: false", "S05", Medium),
        (pod, "serviceAccountName: other", "S05", Low),
        ("resources: [configmaps]", "resources: [secrets]", "S06", High),
        ("resources: [configmaps]", "resources: [\"*\"]", "S06", High),
        ("verbs: [get]", "verbs: [\"*\"]", "S06", High),
        ("resources: [configmaps], verbs: [get]", "resources: [pods/exec], verbs: [create]", "S06", High),
        ("verbs: [get]", "verbs: [escalate]", "S06", High),
        ("kind: Role, name: game", "kind: ClusterRole, name: cluster-admin", "S06", High),
        ("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "S07", Low),
        ("podSelector: { matchLabels: { app: game } }", "podSelector: { matchLabels: { app: x } }", "S07", Low),
        ("data: { ROOMS: \"7\" }", "data: { DB_PASSWORD: hunter2 }", "S08", Blocker),
        (
            "kind: ConfigMap\nmetadata: { name: game }\ndata: { ROOMS: \"7\" }",
            "kind: Secret\nmetadata: { name: game }\ndata: { a: aHVudGVyMg== }",
            "S08",
            Blocker,
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let out = look(&GOOD.replacen(from, to, 1));
        let found: Vec<_> = out.found.findings.iter().map(|finding| (finding.id, finding.level)).collect();
        assert!(found.contains(&(id, level)), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn what_is_right_is_left_alone() {
    for (from, to) in [
        ("drop: [ALL]", "drop: [all], add: [NET_BIND_SERVICE]"),
        ("automountServiceAccountToken: false", "serviceAccountName: game"),
        ("data: { ROOMS: \"7\" }", "data: { DB_PASSWORD_FILE: /run/secrets/db, TOKEN_URL: https://x }"),
        (
            "kind: ConfigMap\nmetadata: { name: game }\ndata: { ROOMS: \"7\" }",
            "kind: Secret\nmetadata: { name: game }\nstringData: { a: \"${FROM_CI}\" }",
        ),
        ("runAsNonRoot: true, runAsUser: 1000,", "runAsUser: 1000,"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(look(&GOOD.replacen(from, to, 1)).found.findings, [], "{from} -> {to}");
    }
    let missing = look(&GOOD.replacen("kind: Role, name: game", "kind: Role, name: gone", 1));
    assert_eq!(missing.found.unknown[0].id, "S06");
}

/// openssl req -x509 -newkey rsa:1024 -sha1 -days 20 -subj /CN=game.example -addext subjectAltName=DNS:game.example,IP:127.0.0.1
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
MIICKTCCAZKgAwIBAgIURTXQsBIaueqBVYRyEL55BuCoZ0EwDQYJKoZIhvcNAQEF\n\
BQAwFzEVMBMGA1UEAwwMZ2FtZS5leGFtcGxlMB4XDTI2MTEzMDE2MjUzNFoXDTI2\n\
MTIyMDE2MjUzNFowFzEVMBMGA1UEAwwMZ2FtZS5leGFtcGxlMIGfMA0GCSqGSIb3\n\
DQEBAQUAA4GNADCBiQKBgQDOyZR4eo3ivXN/w/SJcN1S3/maRSExMGrsB8tbSPjD\n\
iM46v9fT4xc/5kEXFAzQnpThY0nonkDWrspvP8JcsvsoAirmLV6XFcwm1ECnLf+6\n\
5aYOuk9rByXiPH6GoA7vFTkqRufm5splP36derrf9ZQmL5vg80TDYrySzKyHZKK/\n\
fQIDAQABo3IwcDAdBgNVHQ4EFgQUc+0if8SsTY7UNqDKtQDYmha+7YcwHwYDVR0j\n\
BBgwFoAUc+0if8SsTY7UNqDKtQDYmha+7YcwDwYDVR0TAQH/BAUwAwEB/zAdBgNV\n\
HREEFjAUggxnYW1lLmV4YW1wbGWHBH8AAAEwDQYJKoZIhvcNAQEFBQADgYEAas5k\n\
X9ia2QDi4FOO9KH7vW8AQHwhbHw6XsGXdOvk6lJA9NdSD4Mve4l1f9cgM6nEIX9K\n\
ztdOIEGThF/HqbDhfSMf0xZJMLj2WmCyp6YZWZP3AvIuhkuppz0nFZh8wWkAuTB9\n\
XCTsDeykF12Dy1ipDiDfuawEOLme27lZQkhkonQ=\n\
-----END CERTIFICATE-----";

#[test]
fn a_certificate_says_when_it_ends_and_how_strong_it_is() {
    let certificate = &Certificate::read_pem(CERTIFICATE)[0];
    assert_eq!(certificate.subject, "game.example");
    assert_eq!(certificate.names, ["game.example", "127.0.0.1"]);
    assert_eq!((certificate.rsa_bits, certificate.is_sha1, certificate.self_signed), (Some(1024), true, true));
    let at = |days: i64| certificate.not_after - chrono::TimeDelta::days(days);
    let levels = |days: i64| -> Vec<(&str, Level)> {
        let found = certificate.judge("x", false, at(days));
        found.iter().map(|finding| (finding.id, finding.level)).filter(|(id, _)| *id == "T01").collect()
    };
    assert_eq!(levels(19), [("T01", Level::Medium)]);
    assert_eq!(levels(3), [("T01", Level::High)]);
    assert_eq!(levels(-1), [("T01", Level::Blocker)]);
    assert_eq!(levels(90), [("T01", Level::Blocker)]);
    assert_eq!(certificate.judge("x", false, at(19)).len(), 3);
    assert_eq!(certificate.judge("x", true, at(19)).len(), 2);
}

#[test]
fn damaged_certificates_are_no_certificates() {
    let der = base64(CERTIFICATE.split("-----").nth(2).expect("a body")).expect("base64");
    for cut in 0..der.len() {
        assert_eq!(Certificate::read(&der[..cut]), None, "{cut}");
    }
    assert_eq!(base64("aGk="), Some(b"hi".to_vec()));
    assert_eq!(base64("a*"), None);
}
