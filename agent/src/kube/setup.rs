//! Where the API is, who asks it, and whose pods are wanted.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::failure::causes;

/// Whether the agent asks the Kubernetes API for the pods of its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KubeMode {
    /// It does when it runs in a pod with a service account.
    #[default]
    Auto,
    /// It does, and anything that is missing for that is an error.
    On,
    /// It does not.
    Off,
}

/// Why the API cannot be asked although that was requested.
#[derive(Debug, thiserror::Error)]
pub enum KubeSetupError {
    /// Nothing says where the API is.
    #[error(
        "--kube on: nothing says where the Kubernetes API is ({0}): give --kubeconfig FILE, set \
         KUBECONFIG, or run in a pod with a service account"
    )]
    NoApi(String),
    /// The given kubeconfig cannot be used.
    #[error("--kubeconfig {}: {reason}", file.display())]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// Nothing says which node this is.
    #[error(
        "--kube on: nothing says which node's pods to follow: give --node-name NODE, or set \
         NODE_NAME (in a DaemonSet from the field spec.nodeName)"
    )]
    NoNode,
    /// The node name is not a DNS subdomain.
    #[error("--node-name {0:?} is no node's name: `kubectl get nodes` lists them")]
    NodeName(String),
}

/// Whether the agent can ask the Kubernetes API.
#[derive(Debug)]
pub enum KubeAccess {
    /// It can, with this setup.
    Available(Box<KubeSetup>),
    /// It was not required, and something is missing: the text says what, and what to do.
    Unavailable(String),
    /// It is not to be asked, or there is no cluster.
    Off,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct KubeTimeouts {
    /// The pause after the first failure; it doubles with each further one, and a random part of
    /// up to a fifth is added.
    pub first_retry: Duration,
    /// The longest pause.
    pub max_retry: Duration,
    /// For an answer to begin, and for a page of a list to arrive.
    pub response: Duration,
}

impl Default for KubeTimeouts {
    fn default() -> Self {
        Self {
            first_retry: Duration::from_millis(500),
            max_retry: Duration::from_secs(30),
            response: Duration::from_secs(30),
        }
    }
}

/// All that is needed to follow the pods of a node.
#[derive(Clone, Debug)]
pub struct KubeSetup {
    /// The API's address, and who asks.
    pub config: Config,
    /// The node's name.
    pub node: String,
    /// How long to wait.
    pub timeouts: KubeTimeouts,
}

impl KubeSetup {
    /// Takes the API from the service account of the pod, else from a kubeconfig (the flag's, or
    /// `KUBECONFIG`, or `~/.kube/config`), and the node from the flag or `NODE_NAME`.
    ///
    /// # Errors
    /// [`KubeSetupError`], where the API was requested explicitly.
    pub async fn find(
        mode: KubeMode,
        node: Option<&str>,
        kubeconfig: Option<&Path>,
    ) -> Result<KubeAccess, KubeSetupError> {
        let required = mode == KubeMode::On || (kubeconfig.is_some() && mode == KubeMode::Auto);
        if mode == KubeMode::Off {
            return Ok(KubeAccess::Off);
        }
        let config = if required {
            Some(config(kubeconfig).await?)
        } else if env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            match Config::incluster() {
                Ok(config) => Some(config),
                // A pod may be denied a token on purpose.
                Err(error) => {
                    let reason = format!("no service account: {}", causes(&error));
                    return Ok(KubeAccess::Unavailable(reason));
                }
            }
        } else {
            None
        };
        let Some(mut config) = config else {
            return Ok(KubeAccess::Off);
        };
        // The follower counts failures and tries again itself.
        config.default_retry = false;
        let node = match node
            .map(str::to_owned)
            .or_else(|| env::var("NODE_NAME").ok())
        {
            Some(node) if is_node_name(&node) => node,
            Some(node) => return Err(KubeSetupError::NodeName(node)),
            None if required => return Err(KubeSetupError::NoNode),
            None => {
                let reason = "set NODE_NAME from the field spec.nodeName, or give --node-name";
                return Ok(KubeAccess::Unavailable(reason.to_owned()));
            }
        };
        Ok(KubeAccess::Available(Box::new(Self {
            config,
            node,
            timeouts: KubeTimeouts::default(),
        })))
    }
}

async fn config(kubeconfig: Option<&Path>) -> Result<Config, KubeSetupError> {
    let Some(file) = kubeconfig else {
        let inferred = Config::infer().await;
        return inferred.map_err(|error| KubeSetupError::NoApi(causes(&error)));
    };
    let unusable = |error: &dyn std::error::Error| KubeSetupError::Kubeconfig {
        file: PathBuf::from(file),
        reason: causes(error),
    };
    let read = Kubeconfig::read_from(file).map_err(|error| unusable(&error))?;
    let ca_file = ca_file(&read);
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| unusable(&error))?;
    // With a file name the client reads the CA again when it has changed, as it does in a pod.
    config.root_cert_file = ca_file;
    Ok(config)
}

/// The file with the CA's certificates, if the kubeconfig names one instead of holding them itself.
fn ca_file(kubeconfig: &Kubeconfig) -> Option<PathBuf> {
    let current = kubeconfig.current_context.as_ref()?;
    let mut contexts = kubeconfig.contexts.iter();
    let named = contexts.find(|named| named.name == *current)?;
    let context = named.context.as_ref()?;
    let mut clusters = kubeconfig.clusters.iter();
    let named = clusters.find(|named| named.name == context.cluster)?;
    let cluster = named.cluster.as_ref()?;
    let is_inline = cluster.certificate_authority_data.is_some();
    cluster
        .certificate_authority
        .as_ref()
        .filter(|_| !is_inline)
        .map(PathBuf::from)
}

/// Whether a text is a DNS subdomain (RFC 1123), as node names are. Nothing in one has a meaning in
/// a field selector.
fn is_node_name(text: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    (1..=253).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_dns_subdomains() {
        for good in ["ip-10-0-1-7.eu-west-1.compute.internal", "node1"] {
            assert!(is_node_name(good), "{good}");
        }
        for bad in ["", "a,metadata.namespace=x", "Node", "a=b", "a b", "é"] {
            assert!(!is_node_name(bad), "{bad}");
        }
        assert!(!is_node_name(&"a".repeat(254)));
    }
}
