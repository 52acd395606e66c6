//! Which format a scraper gets: content negotiation (RFC 9110, 12.5.1 and 12.5.3).

use super::Format;

/// The best format for an `Accept` header. Without one, or when nothing in it is known, it is the
/// text format of Prometheus: everybody reads that.
#[must_use]
pub(crate) fn format(accept: &str) -> Format {
    // Of formats liked equally well the first.
    [Format::Protobuf, Format::OpenMetrics, Format::Text]
        .into_iter()
        .map(|format| (format, quality(accept, format)))
        .filter(|&(_, quality)| quality > 0)
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map_or(Format::Text, |(format, _)| format)
}

/// Whether an `Accept-Encoding` header takes gzip and prefers it to nothing.
#[must_use]
pub(crate) fn takes_gzip(accept: &str) -> bool {
    let of = |coding: &str| {
        let named = items(accept).filter(|item| item.is(coding));
        named.map(|item| item.quality).next_back()
    };
    let gzip = of("gzip")
        .or_else(|| of("x-gzip"))
        .or_else(|| of("*"))
        .unwrap_or(0);
    gzip > 0 && gzip >= of("identity").unwrap_or(0)
}

/// How well a format is liked, in thousandths.
fn quality(accept: &str, format: Format) -> u32 {
    let liked = items(accept).filter(|item| match format {
        Format::Protobuf => {
            item.is("application/vnd.google.protobuf")
                && item.parameter("proto") == Some("io.prometheus.client.MetricFamily")
                && item.parameter("encoding") == Some("delimited")
        }
        Format::OpenMetrics => {
            let version = item.parameter("version");
            // 0.0.1 is what 1.0.0 was called as a draft.
            item.is("application/openmetrics-text")
                && version.is_none_or(|v| v == "1.0.0" || v == "0.0.1")
        }
        Format::Text => {
            let plain =
                item.is("text/plain") && item.parameter("version").is_none_or(|v| v == "0.0.4");
            // Who takes anything gets what everybody reads.
            plain || item.is("*/*") || item.is("text/*")
        }
    });
    liked.map(|item| item.quality).max().unwrap_or(0)
}

/// One item of a list: `what;name=value;q=0.5`.
struct Item<'a> {
    what: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// In thousandths.
    quality: u32,
}

impl<'a> Item<'a> {
    fn is(&self, what: &str) -> bool {
        self.what.eq_ignore_ascii_case(what)
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut all = self.parameters.iter();
        all.find(|(of, _)| of.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }
}

fn items(list: &str) -> impl DoubleEndedIterator<Item = Item<'_>> {
    list.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let what = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
            .collect();
        let mut item = Item {
            what,
            parameters,
            quality: 1000,
        };
        if let Some(q) = item.parameter("q") {
            // Nonsense counts as a refusal.
            let q: f64 = q.parse().unwrap_or(0.0);
            item.quality = (q.clamp(0.0, 1.0) * 1000.0).round() as u32;
        }
        item
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scraper_gets_what_it_asks_for() {
        for (accept, wanted) in [
            // Prometheus 2.42 as it comes.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            // With --enable-feature=native-histograms.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::Protobuf,
            ),
            // Prometheus 3 as it comes, and with native histograms.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::Protobuf,
            ),
            // The other way round.
            (
                "text/plain;version=0.0.4;q=0.9, application/openmetrics-text; version=1.0.0; q=0.5",
                Format::Text,
            ),
            (
                "application/openmetrics-text; version=\"0.0.1\"",
                Format::OpenMetrics,
            ),
            ("*/*", Format::Text),
            ("", Format::Text),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Format::Text,
            ),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            // Not for us, or refused.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                Format::Text,
            ),
            (
                "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
                Format::Text,
            ),
            (
                "application/openmetrics-text;q=0,text/plain;q=0.1",
                Format::Text,
            ),
            ("application/openmetrics-text;q=much", Format::Text),
        ] {
            assert_eq!(format(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn gzip_is_taken_when_it_is_liked() {
        for (accept, wanted) in [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("deflate, gzip;q=0.5", true),
            ("*", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("*, gzip;q=0.0", false),
            ("gzip;q=0.2, identity;q=0.8", false),
        ] {
            assert_eq!(takes_gzip(accept), wanted, "{accept}");
        }
    }
}
