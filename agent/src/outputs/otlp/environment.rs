//! The environment variables of OpenTelemetry that the export follows.

use std::{path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;

use super::error::OtlpError;

/// How long one attempt may take, unless `OTEL_EXPORTER_OTLP_TIMEOUT` is set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How histograms are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HistogramEncoding {
    /// As exponential histograms.
    #[default]
    Exponential,
    /// As histograms of the classic buckets.
    Explicit,
}

/// Reads the environment variables.
pub(super) struct Environment<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    /// The value of a variable. An empty value counts as unset (OpenTelemetry environment variable
    /// specification).
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The value of an exporter's option with the name of its variable. The variable for metrics
    /// goes before the one for all signals.
    fn option(&self, option: &str) -> Option<(String, String)> {
        let names = ["METRICS_", ""].map(|signal| format!("OTEL_EXPORTER_OTLP_{signal}{option}"));
        names
            .into_iter()
            .find_map(|name| Some((name.clone(), self.get(&name)?)))
    }

    /// # Errors
    /// [`OtlpError`] when a protocol other than http/protobuf is asked for.
    pub(super) fn check_protocol(&self) -> Result<(), OtlpError> {
        match self.option("PROTOCOL") {
            Some((variable, value)) if value != "http/protobuf" => Err(OtlpError::Variable {
                variable,
                value,
                why: "tag52 exports by http/protobuf only",
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn certificate(&self) -> Option<PathBuf> {
        self.option("CERTIFICATE").map(|(_, path)| path.into())
    }

    pub(super) fn headers(&self) -> Result<Vec<(String, String)>, OtlpError> {
        let Some((variable, value)) = self.option("HEADERS") else {
            return Ok(Vec::new());
        };
        pairs(&value).ok_or(OtlpError::Variable {
            variable,
            // The value may be a secret.
            value: "...".to_owned(),
            why: "write name=value,name=value with % escapes",
        })
    }

    pub(super) fn timeout(&self) -> Result<Duration, OtlpError> {
        let Some((variable, value)) = self.option("TIMEOUT") else {
            return Ok(DEFAULT_TIMEOUT);
        };
        let millis = value.trim().parse().ok().filter(|&ms: &u64| ms > 0);
        let why = "write milliseconds";
        millis
            .map(Duration::from_millis)
            .ok_or(OtlpError::Variable {
                variable,
                value,
                why,
            })
    }

    pub(super) fn gzip(&self) -> Result<bool, OtlpError> {
        match self.option("COMPRESSION") {
            None => Ok(false),
            Some((_, value)) if value == "none" => Ok(false),
            Some((_, value)) if value == "gzip" => Ok(true),
            Some((variable, value)) => Err(OtlpError::Variable {
                variable,
                value,
                why: "write gzip or none",
            }),
        }
    }

    pub(super) fn histograms(&self) -> Result<HistogramEncoding, OtlpError> {
        let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
        match self.get(name).as_deref() {
            None | Some("base2_exponential_bucket_histogram") => Ok(HistogramEncoding::Exponential),
            Some("explicit_bucket_histogram") => Ok(HistogramEncoding::Explicit),
            Some(other) => Err(OtlpError::Variable {
                variable: name.to_owned(),
                value: other.to_owned(),
                why: "write base2_exponential_bucket_histogram or explicit_bucket_histogram",
            }),
        }
    }

    /// The attributes of the resource: ours, then those of the machine, then the environment's.
    pub(super) fn resource(
        &self,
        machine: Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, OtlpError> {
        let own = [
            ("service.name", "tag52"),
            ("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let mut all: Vec<(String, String)> = own
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        all.extend(machine);
        let variable = "OTEL_RESOURCE_ATTRIBUTES";
        if let Some(value) = self.get(variable) {
            let why = "write name=value,name=value with % escapes";
            let given = pairs(&value).ok_or(OtlpError::Variable {
                variable: variable.to_owned(),
                value,
                why,
            })?;
            all.extend(given);
        }
        all.extend(
            self.get("OTEL_SERVICE_NAME")
                .map(|name| ("service.name".to_owned(), name)),
        );
        // Of several values of one name the last one holds.
        let mut attributes: Vec<(String, String)> = Vec::new();
        for (name, value) in all {
            match attributes.iter_mut().find(|(earlier, _)| *earlier == name) {
                Some(earlier) => earlier.1 = value,
                None => attributes.push((name, value)),
            }
        }
        Ok(attributes)
    }
}

/// Parses `name=value,name=value` (W3C Baggage without properties); `None` when it is malformed.
fn pairs(list: &str) -> Option<Vec<(String, String)>> {
    let items = list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    let pairs = items.map(|item| {
        let (name, value) = item.split_once('=')?;
        let decoded = |text: &str| {
            Some(
                percent_decode_str(text.trim())
                    .decode_utf8()
                    .ok()?
                    .into_owned(),
            )
        };
        Some((
            decoded(name).filter(|name| !name.is_empty())?,
            decoded(value)?,
        ))
    });
    pairs.collect()
}
