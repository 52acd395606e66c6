//! Where the API is, and whose pods are wanted.

use std::{
    env,
    path::{Path, PathBuf},
};

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::{
    failure::{KubeError, causes},
    follow::Timing,
};

/// Whether the API is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Where it runs in a pod with a service account.
    #[default]
    Auto,
    /// It must be: anything missing is an error.
    On,
    /// Never.
    Off,
}

/// All there is to know before the API can be asked.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The API's address and who asks.
    pub config: Config,
    /// The node.
    pub node: String,
    /// How long to wait.
    pub timing: Timing,
}

impl Setup {
    /// From flags and surroundings: in a pod its service account, else a kubeconfig (the flag's, or
    /// `KUBECONFIG`, or `~/.kube/config`); the node from the flag or `NODE_NAME`. `None`: the API
    /// is not to be asked, and why when that may come as a surprise.
    ///
    /// # Errors
    /// [`KubeError`], where the API was asked for explicitly.
    pub async fn find(
        mode: Mode,
        node: Option<&str>,
        kubeconfig: Option<&Path>,
    ) -> Result<Result<Self, Option<String>>, KubeError> {
        let wanted = mode == Mode::On || (kubeconfig.is_some() && mode == Mode::Auto);
        if mode == Mode::Off {
            return Ok(Err(None));
        }
        let found = if wanted {
            Some(config(kubeconfig).await?)
        } else if env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            match Config::incluster() {
                Ok(config) => Some(config),
                // A pod may be denied a token on purpose; then that it has none is no news.
                Err(why) => return Ok(Err(Some(format!("no service account: {}", causes(&why))))),
            }
        } else {
            None
        };
        let Some(mut config) = found else {
            return Ok(Err(None));
        };
        // What fails is counted and tried again by the follower.
        config.default_retry = false;
        let node = match node
            .map(str::to_owned)
            .or_else(|| env::var("NODE_NAME").ok())
        {
            Some(node) if is_name(&node) => node,
            Some(node) => return Err(KubeError::NodeName(node)),
            None if wanted => return Err(KubeError::NoNode),
            None => {
                let why = "set NODE_NAME from the field spec.nodeName, or give --node-name";
                return Ok(Err(Some(why.to_owned())));
            }
        };
        Ok(Ok(Self {
            config,
            node,
            timing: Timing::default(),
        }))
    }
}

async fn config(kubeconfig: Option<&Path>) -> Result<Config, KubeError> {
    let Some(file) = kubeconfig else {
        let found = Config::infer().await;
        return found.map_err(|why| KubeError::NoApi(causes(&why)));
    };
    let failed = |why: &dyn std::error::Error| KubeError::Kubeconfig {
        file: PathBuf::from(file),
        why: causes(why),
    };
    let read = Kubeconfig::read_from(file).map_err(|why| failed(&why))?;
    let authority = authority(&read);
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|why| failed(&why))?;
    // Read again when it has changed, as it is in a pod.
    config.root_cert_file = authority;
    Ok(config)
}

/// The file with the CA's certificates, if the kubeconfig names one instead of holding them itself.
fn authority(kubeconfig: &Kubeconfig) -> Option<PathBuf> {
    let current = kubeconfig.current_context.as_ref()?;
    let mut contexts = kubeconfig.contexts.iter();
    let named = contexts.find(|named| named.name == *current)?;
    let context = named.context.as_ref()?;
    let mut clusters = kubeconfig.clusters.iter();
    let named = clusters.find(|named| named.name == context.cluster)?;
    let cluster = named.cluster.as_ref()?;
    let is_inside = cluster.certificate_authority_data.is_some();
    cluster
        .certificate_authority
        .as_ref()
        .filter(|_| !is_inside)
        .map(PathBuf::from)
}

/// A DNS subdomain: what a node can be called, and nothing that means something in a field
/// selector.
fn is_name(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    (1..=253).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes() {
        for good in ["ip-10-0-1-7.eu-west-1.compute.internal", "node1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a,metadata.namespace=x", "Node", "a=b", "a b", "é"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_name(&"a".repeat(254)));
    }
}
