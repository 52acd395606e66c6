//! The connection to the API server, and the token it is asked with.

use kube::{Client, Config};

use super::failure::ApiFailure;

/// A client that sends this token, if there is one.
///
/// # Errors
/// When the configuration's certificates or addresses are unusable.
pub(super) fn connect(config: &Config, token: &BearerToken) -> Result<Client, ApiFailure> {
    let mut config = config.clone();
    if let Some(token) = &token.0 {
        config.auth_info.token_file = None;
        config.auth_info.token = Some(token.clone().into());
    }
    Client::try_from(config).map_err(|error| ApiFailure::from_error(&error))
}

/// The token in the file that the configuration names.
///
/// The client library reads such a file as well, but it goes on with an old token for a minute and
/// fails where the file ends with a line feed.
#[derive(Default)]
pub(super) struct BearerToken(Option<String>);

impl BearerToken {
    /// Reads the file again; whether the token has changed. A file that cannot be read or is empty
    /// changes nothing: kubelets replace such files, and the old token stays valid for a while.
    pub(super) fn has_changed(&mut self, config: &Config) -> bool {
        let file = config.auth_info.token_file.as_ref();
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        let token = text.map(|text| text.trim().to_owned());
        let token = token.filter(|token| !token.is_empty());
        if token.is_none() || token == self.0 {
            return false;
        }
        self.0 = token;
        true
    }
}
