//! What to do about a failed TLS handshake: rustls says what is wrong, not what would help.

use std::{error::Error, io};

use rustls::{CertificateError as Wrong, Error as Tls};

/// The failed handshake that caused an error, if there is one.
pub(crate) fn failure<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Tls> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref() {
            return Some(failure);
        }
        // The source of an I/O error is that of the error inside of it, which would be skipped.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// What to do about a failed handshake. `authority` says, as an instruction, where the CA's
/// certificates come from: "name them in ...".
pub(crate) fn advice(failure: &Tls, authority: &str) -> String {
    match failure {
        Tls::InvalidCertificate(
            Wrong::Expired
            | Wrong::ExpiredContext { .. }
            | Wrong::NotValidYet
            | Wrong::NotValidYetContext { .. },
        ) => "renew the server's certificate, or set the clock of this machine".to_owned(),
        Tls::InvalidCertificate(Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }) => {
            "write the address with a name that is in the server's certificate".to_owned()
        }
        Tls::InvalidCertificate(_) => authority.to_owned(),
        Tls::InvalidMessage(_) => "check that the server speaks TLS at that port".to_owned(),
        _ => format!("check what the server requires of its clients; {authority}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_handshake_is_found_inside_of_an_io_error() {
        let wrong = Tls::InvalidCertificate(Wrong::UnknownIssuer);
        let error = io::Error::other(io::Error::other(wrong.clone()));
        assert_eq!(failure(&error), Some(&wrong));
        assert_eq!(failure(&io::Error::other("refused")), None);
    }

    #[test]
    fn the_advice_depends_on_what_is_wrong() {
        for (wrong, helps) in [
            (Wrong::UnknownIssuer, "name the CA"),
            (Wrong::BadSignature, "name the CA"),
            (Wrong::Expired, "renew"),
            (Wrong::NotValidForName, "a name that is in"),
        ] {
            let text = advice(&Tls::InvalidCertificate(wrong), "name the CA");
            assert!(text.contains(helps), "{text}");
        }
    }
}
