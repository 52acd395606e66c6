//! Over TLS, with files as a pod has them: the CA's certificate, and a token that is replaced every
//! hour.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use kube::Config;
use tag52::kube::{Kube, Mode, Setup};
use tempfile::TempDir;

use crate::{
    NODE, QUICK, errors, eventually, name,
    server::{Server, pod},
    tls::Authority,
};

/// `token` and `ca.crt`, as the kubelet mounts them.
struct Account(TempDir);

impl Account {
    fn new(token: &str, authority: &Authority) -> Self {
        let account = Self(tempfile::tempdir().expect("a folder"));
        account.replace("token", token);
        account.replace("ca.crt", authority.pem());
        account
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// At once: nobody reads half of it.
    fn replace(&self, name: &str, text: &str) {
        let new = self.file("new");
        fs::write(&new, text).expect("written");
        fs::rename(new, self.file(name)).expect("renamed");
    }

    fn kubeconfig(&self, address: SocketAddr) -> PathBuf {
        let file = self.file("kubeconfig");
        // Beside it, as relative names are understood.
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: 'https://{address}', certificate-authority: ca.crt}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             users: [{{name: u, user: {{tokenFile: '{}'}}}}]\n",
            self.file("token").display()
        );
        fs::write(&file, text).expect("written");
        file
    }
}

fn follow(kubeconfig: &Path) -> Kube {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let found = runtime.block_on(Setup::find(Mode::On, Some(NODE), Some(kubeconfig)));
    let mut setup = found.expect("no error").expect("an API");
    setup.timing = QUICK;
    Kube::start(setup).expect("a thread")
}

/// A server that only this token may ask, with a pod.
fn server(authority: &Authority, token: &str) -> Server {
    let server = Server::secure(authority.server("127.0.0.1"));
    server.set_tokens(&[token]);
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    server
}

#[test]
fn the_token_is_shown_to_whom_the_ca_vouches_for() {
    let authority = Authority::new();
    let account = Account::new("first\n", &authority);
    let server = server(&authority, "first");
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("watched", || kube.health().up && server.watches() == 1);
    assert_eq!(name(&kube, "u1").as_deref(), Some("oms-0"));
    assert!(errors(&kube).is_empty(), "{:?}", errors(&kube));
}

#[test]
fn what_a_pod_has_is_enough() {
    let authority = Authority::new();
    let account = Account::new("first", &authority);
    let server = server(&authority, "first");
    // As `Config::incluster` makes it of its fixed paths.
    let mut config = Config::new(
        format!("https://{}", server.address())
            .parse()
            .expect("one"),
    );
    config.root_cert = Some(Vec::new());
    config.root_cert_file = Some(account.file("ca.crt"));
    config.auth_info.token_file = Some(account.file("token").display().to_string());
    config.default_retry = false;
    let kube = Kube::start(Setup {
        config,
        node: NODE.to_owned(),
        timing: QUICK,
    });
    let kube = kube.expect("a thread");
    eventually("watched", || kube.health().up && server.watches() == 1);
    assert_eq!(name(&kube, "u1").as_deref(), Some("oms-0"));
}

#[test]
fn a_new_token_is_used_with_the_next_request() {
    let authority = Authority::new();
    let account = Account::new("first", &authority);
    let server = server(&authority, "first");
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("watched", || kube.health().up && server.watches() == 1);
    // As it is rotated: the old one is good for a while.
    account.replace("token", "second\n");
    server.set_tokens(&["first", "second"]);
    eventually("watched again", || {
        kube.health().up && server.watches() == 2
    });
    let last = server.asked().pop().expect("a request");
    assert_eq!(last.authorization.as_deref(), Some("Bearer second"));
    // And as it should not be: the old one is refused before the new one is there.
    server.set_tokens(&["third"]);
    eventually("refused", || errors(&kube).contains_key("unauthorized"));
    account.replace("token", "third");
    eventually("up", || kube.health().up);
    assert_eq!(server.lists(), 1);
}

#[test]
fn a_token_that_is_away_for_a_moment_is_used_on() {
    let authority = Authority::new();
    let account = Account::new("first", &authority);
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
fn a_server_of_another_ca_is_not_asked_until_the_ca_is_the_right_one() {
    let (ours, others) = (Authority::new(), Authority::new());
    let account = Account::new("first", &others);
    let server = server(&ours, "first");
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("refused", || errors(&kube).get("tls") > Some(&1));
    assert!(!kube.health().up && !kube.has_listed());
    // It never got to see the token.
    assert!(server.asked().is_empty());
    assert_eq!(errors(&kube).len(), 1, "{:?}", errors(&kube));
    account.replace("ca.crt", ours.pem());
    eventually("up", || kube.health().up && name(&kube, "u1").is_some());
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let account = Account::new("first", &authority);
    let server = Server::secure(authority.server("api.example"));
    let kube = follow(&account.kubeconfig(server.address()));
    eventually("refused", || errors(&kube).get("tls") > Some(&1));
}
