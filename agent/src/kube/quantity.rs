//! Amounts of CPU as Kubernetes writes them.

/// An amount in thousandths of a CPU, rounded up as the scheduler does; `None` when it is not an
/// amount of CPU.
///
/// Amounts are `250m`, `2`, `0.5`, `1e3`, and with the suffixes `n`, `u`, `k`
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>); the
/// suffixes of bytes (`Ki`, `Mi`) are not for CPU.
pub(super) fn cpu_millis(text: &str) -> Option<u64> {
    let (number, scale) = match text.as_bytes().last()? {
        b'n' => (&text[..text.len() - 1], 1e-6),
        b'u' => (&text[..text.len() - 1], 1e-3),
        b'm' => (&text[..text.len() - 1], 1.0),
        b'k' => (&text[..text.len() - 1], 1e6),
        _ => (text, 1e3),
    };
    // A float can also be a word: nan, inf, infinity.
    let is_number = number
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+.eE-".contains(&b));
    let amount = number.parse::<f64>().ok().filter(|_| is_number)? * scale;
    // A binary fraction may be a little more than the decimal one.
    (0.0..1e12)
        .contains(&amount)
        .then(|| (amount - 1e-7).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_cpu_are_millis_rounded_up() {
        for (text, expected) in [
            ("250m", 250),
            ("2", 2000),
            ("0.5", 500),
            ("0.3", 300),
            ("1500m", 1500),
            ("100u", 1),
            ("1n", 1),
            ("1e3", 1_000_000),
            ("2k", 2_000_000),
            ("0", 0),
            ("+1", 1000),
        ] {
            assert_eq!(cpu_millis(text), Some(expected), "{text}");
        }
        for bad in [
            "", "m", "-1", "1Ki", "64Mi", "one", "nan", "inf", "1m m", "é",
        ] {
            assert_eq!(cpu_millis(bad), None, "{bad}");
        }
    }
}
