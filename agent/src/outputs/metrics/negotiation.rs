//! Content negotiation: which format and coding a scraper gets (RFC 9110, sections 12.5.1 and
//! 12.5.3).

use super::format::ExpositionFormat;

/// The best format for an `Accept` header. Without one, or when it names no format of ours, it is
/// the text format of Prometheus, which every scraper reads.
pub(crate) fn negotiate_format(accept: &str) -> ExpositionFormat {
    // Among formats of equal quality the first one wins.
    [
        ExpositionFormat::Protobuf,
        ExpositionFormat::OpenMetrics,
        ExpositionFormat::Text,
    ]
    .into_iter()
    .map(|format| (format, quality(accept, format)))
    .filter(|&(_, quality)| quality > 0)
    .reduce(|best, next| if next.1 > best.1 { next } else { best })
    .map_or(ExpositionFormat::Text, |(format, _)| format)
}

/// Whether an `Accept-Encoding` header accepts gzip and does not prefer the plain body.
pub(crate) fn accepts_gzip(accept: &str) -> bool {
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

/// The quality of a format in an `Accept` header, in thousandths.
fn quality(accept: &str, format: ExpositionFormat) -> u32 {
    let accepted = items(accept).filter(|item| match format {
        ExpositionFormat::Protobuf => {
            item.is("application/vnd.google.protobuf")
                && item.parameter("proto") == Some("io.prometheus.client.MetricFamily")
                && item.parameter("encoding") == Some("delimited")
        }
        ExpositionFormat::OpenMetrics => {
            let version = item.parameter("version");
            // 0.0.1 is what 1.0.0 was called as a draft.
            item.is("application/openmetrics-text")
                && version.is_none_or(|v| v == "1.0.0" || v == "0.0.1")
        }
        ExpositionFormat::Text => {
            let plain =
                item.is("text/plain") && item.parameter("version").is_none_or(|v| v == "0.0.4");
            // A scraper that accepts anything gets the format that every scraper reads.
            plain || item.is("*/*") || item.is("text/*")
        }
    });
    accepted.map(|item| item.quality).max().unwrap_or(0)
}

/// One item of an `Accept` list: `value;name=value;q=0.5`.
struct AcceptItem<'a> {
    value: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// In thousandths.
    quality: u32,
}

impl<'a> AcceptItem<'a> {
    fn is(&self, value: &str) -> bool {
        self.value.eq_ignore_ascii_case(value)
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut all = self.parameters.iter();
        all.find(|(of, _)| of.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }
}

fn items(list: &str) -> impl DoubleEndedIterator<Item = AcceptItem<'_>> {
    list.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
            .collect();
        let mut item = AcceptItem {
            value,
            parameters,
            quality: 1000,
        };
        if let Some(q) = item.parameter("q") {
            // A value that is no number counts as a refusal.
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
            // Prometheus 2.42 by default.
            (
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,\
                 */*;q=0.1",
                ExpositionFormat::OpenMetrics,
            ),
            // With --enable-feature=native-histograms.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited,\
                 application/openmetrics-text;version=1.0.0;q=0.8,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,\
                 */*;q=0.1",
                ExpositionFormat::Protobuf,
            ),
            // Prometheus 3 by default, and with native histograms.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,\
                 */*;q=0.2",
                ExpositionFormat::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;escaping=allow-utf-8;q=0.7,\
                 application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,\
                 */*;q=0.2",
                ExpositionFormat::Protobuf,
            ),
            // The other way round.
            (
                "text/plain;version=0.0.4;q=0.9, application/openmetrics-text; version=1.0.0; \
                 q=0.5",
                ExpositionFormat::Text,
            ),
            (
                "application/openmetrics-text; version=\"0.0.1\"",
                ExpositionFormat::OpenMetrics,
            ),
            ("*/*", ExpositionFormat::Text),
            ("", ExpositionFormat::Text),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                ExpositionFormat::Text,
            ),
            (
                "Application/OpenMetrics-Text",
                ExpositionFormat::OpenMetrics,
            ),
            // No format of ours, or refused.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=text",
                ExpositionFormat::Text,
            ),
            (
                "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
                ExpositionFormat::Text,
            ),
            (
                "application/openmetrics-text;q=0,text/plain;q=0.1",
                ExpositionFormat::Text,
            ),
            (
                "application/openmetrics-text;q=much",
                ExpositionFormat::Text,
            ),
        ] {
            assert_eq!(negotiate_format(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn gzip_is_used_when_it_is_accepted_and_not_less_than_identity() {
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
            assert_eq!(accepts_gzip(accept), wanted, "{accept}");
        }
    }
}
