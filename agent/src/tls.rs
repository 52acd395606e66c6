//! What to do when a server's certificate is refused: rustls says what is wrong with it, not what
//! would help.

use std::{error::Error, io};

use rustls::{CertificateError as Wrong, Error as Tls};

/// The failed handshake behind an error, if that is what it came from.
pub(crate) fn failure<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Tls> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error's source is that of the error in it, which would be passed over.
        let inside = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

/// What would help. `authority` says where the CA's certificates come from, as an order: "name them
/// in ...".
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
        Tls::InvalidMessage(_) => "look whether the server speaks TLS at that port".to_owned(),
        _ => format!("look at what the server asks of its clients; {authority}"),
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
    fn who_may_be_trusted_is_not_the_answer_to_everything() {
        for (wrong, helps) in [
            (Wrong::UnknownIssuer, "name the CA"),
            (Wrong::BadSignature, "name the CA"),
            (Wrong::Expired, "renew"),
            (Wrong::NotValidForName, "a name that is in"),
        ] {
            let told = advice(&Tls::InvalidCertificate(wrong), "name the CA");
            assert!(told.contains(helps), "{told}");
        }
    }
}
