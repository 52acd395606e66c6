//! Follows pods over TLS, with the files that a pod has: the CA's certificate, and a token that is
//! replaced every hour.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use kube::Config;
use tag52::kube::{KubeAccess, KubeMode, KubeSetup, PodDirectory};
use tempfile::TempDir;

use crate::{
    NODE, SHORT_TIMEOUTS, errors, eventually, name,
    server::{ApiServer, pod},
    tls::Authority,
};

/// `token` and `ca.crt`, as the kubelet mounts them.
struct ServiceAccountFiles(TempDir);

impl ServiceAccountFiles {
    fn new(token: &str, authority: &Authority) -> Self {
        let account = Self(tempfile::tempdir().expect("a folder"));
        account.replace("token", token);
        account.replace("ca.crt", authority.pem());
        account
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a file atomically, so that it is never read by halves.
    fn replace(&self, name: &str, text: &str) {
        let new = self.file("new");
        fs::write(&new, text).expect("written");
        fs::rename(new, self.file(name)).expect("renamed");
    }

    fn kubeconfig(&self, address: SocketAddr) -> PathBuf {
        let file = self.file("kubeconfig");
        // `ca.crt` is relative to the kubeconfig.
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: \
             {{server: 'https://{address}', certificate-authority: ca.crt}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             users: [{{name: u, user: {{tokenFile: '{}'}}}}]\n",
            self.file("token").display()
        );
        fs::write(&file, text).expect("written");
        file
    }
}

fn follow(kubeconfig: &Path) -> PodDirectory {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let access = runtime.block_on(KubeSetup::find(KubeMode::On, Some(NODE), Some(kubeconfig)));
    let Ok(KubeAccess::Available(mut setup)) = access else {
        panic!("no API: {access:?}");
    };
    setup.timeouts = SHORT_TIMEOUTS;
    PodDirectory::start(*setup).expect("a thread")
}

/// A server with one pod, which accepts only this token.
fn server(authority: &Authority, token: &str) -> ApiServer {
    let server = ApiServer::secure(authority.server("127.0.0.1"));
    server.set_tokens(&[token]);
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    server
}

#[test]
fn the_token_is_sent_to_a_trusted_server() {
    let authority = Authority::new();
    let account = ServiceAccountFiles::new("first\n", &authority);
    let server = server(&authority, "first");
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("watched", || kube.health().up && server.watches() == 1);
    assert_eq!(name(&kube, "u1").as_deref(), Some("oms-0"));
    assert!(errors(&kube).is_empty(), "{:?}", errors(&kube));
}

#[test]
fn the_files_of_a_pod_suffice() {
    let authority = Authority::new();
    let account = ServiceAccountFiles::new("first", &authority);
    let server = server(&authority, "first");
    // As `Config::incluster` does with its fixed paths.
    let mut config = Config::new(
        format!("https://{}", server.address())
            .parse()
            .expect("one"),
    );
    config.root_cert = Some(Vec::new());
    config.root_cert_file = Some(account.file("ca.crt"));
    config.auth_info.token_file = Some(account.file("token").display().to_string());
    config.default_retry = false;
    let kube = PodDirectory::start(KubeSetup {
        config,
        node: NODE.to_owned(),
        timeouts: SHORT_TIMEOUTS,
    });
    let kube = kube.expect("a thread");
    eventually("watched", || kube.health().up && server.watches() == 1);
    assert_eq!(name(&kube, "u1").as_deref(), Some("oms-0"));
}

#[test]
fn a_new_token_is_used_with_the_next_request() {
    let authority = Authority::new();
    let account = ServiceAccountFiles::new("first", &authority);
    let server = server(&authority, "first");
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("watched", || kube.health().up && server.watches() == 1);
    // A regular rotation: the old one stays valid for a while.
    account.replace("token", "second\n");
    server.set_tokens(&["first", "second"]);
    eventually("watched again", || {
        kube.health().up && server.watches() == 2
    });
    let last = server.requests().pop().expect("a request");
    assert_eq!(last.authorization.as_deref(), Some("Bearer second"));
    // An irregular one: the old one is refused before the new one is there.
    server.set_tokens(&["third"]);
    eventually("refused", || errors(&kube).contains_key("unauthorized"));
    account.replace("token", "third");
    eventually("up", || kube.health().up);
    assert_eq!(server.lists(), 1);
}

#[test]
fn a_token_whose_file_is_missing_stays_in_use() {
    let authority = Authority::new();
    let account = ServiceAccountFiles::new("first", &authority);
    let server = server(&authority, "first");
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("watched", || kube.health().up && server.watches() == 1);
    fs::remove_file(account.file("token")).expect("removed");
    server.break_off();
    eventually("watched again", || {
        kube.health().up && server.watches() == 2
    });
    assert!(!errors(&kube).contains_key("unauthorized"));
}

#[test]
fn a_server_of_another_ca_is_asked_once_the_ca_is_replaced() {
    let (ours, others) = (Authority::new(), Authority::new());
    let account = ServiceAccountFiles::new("first", &others);
    let server = server(&ours, "first");
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("refused", || errors(&kube).get("tls") > Some(&1));
    assert!(!kube.health().up && !kube.has_listed());
    // It never received the token.
    assert!(server.requests().is_empty());
    assert_eq!(errors(&kube).len(), 1, "{:?}", errors(&kube));
    account.replace("ca.crt", ours.pem());
    eventually("up", || kube.health().up && name(&kube, "u1").is_some());
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let account = ServiceAccountFiles::new("first", &authority);
    let server = ApiServer::secure(authority.server("api.example"));
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("refused", || errors(&kube).get("tls") > Some(&1));
}
