//! The schemas of Kubernetes itself, offline and strict: an unknown field is an error.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{cache, called};
use tools::containers::finish;

/// The pinned version; it has the schemas of Kubernetes up to 1.37.
const VERSION: &str = "1.37.0";

/// The versions that are checked, as far as an overlay is for them.
const KUBERNETES: [(u32, u32); 5] = [(1, 27), (1, 30), (1, 33), (1, 35), (1, 37)];

/// Takes the versions as arguments, the objects as YAML; answers in JSON.
const PROGRAM: &str = r"
import json, sys, yaml, kubernetes_validate as kv
objects = [o for o in yaml.safe_load_all(sys.stdin) if o]
wrong = []
for o in objects:
    for version in sys.argv[1:]:
        try:
            kv.validate(o, version, strict=True)
        except kv.SchemaNotFoundError:
            wrong.append([o, version, None])
        except kv.ValidationError as e:
            wrong.append([o, version, '%s: %s' % ('.'.join(map(str, e.path)), e.message)])
print(json.dumps({'objects': objects, 'wrong': wrong}))
";

/// What is custom, and so in no schema of Kubernetes.
const CUSTOM: &str = "monitoring.coreos.com/v1";

/// The validator.
#[derive(Debug)]
pub(super) struct Schemas(PathBuf);

/// What came out.
#[derive(Debug)]
pub(super) struct CheckedObjects {
    /// All objects.
    pub(super) objects: Vec<Value>,
    /// What is wrong with them.
    pub(super) wrong: Vec<String>,
    /// The versions they were held against.
    pub(super) versions: Vec<String>,
}

#[derive(Deserialize)]
struct ValidatorOutput {
    objects: Vec<Value>,
    wrong: Vec<(Value, String, Option<String>)>,
}

impl Schemas {
    /// Fetches it from PyPI; does nothing when it is there.
    pub(super) fn ensure() -> Result<Self> {
        let folder = cache().join(format!("kubernetes-validate-{VERSION}"));
        if !folder.is_dir() {
            std::fs::create_dir_all(cache())?;
            let building = tempfile::tempdir_in(cache()).context("cannot create a folder")?;
            let to = building.path().join("packages");
            eprintln!("fetching kubernetes-validate {VERSION} (from PyPI, once)");
            finish(
                Command::new("python3")
                    .args(["-m", "pip", "install", "--quiet", "--no-input", "--target"])
                    .arg(&to)
                    .arg(format!("kubernetes-validate=={VERSION}")),
            )
            .context("pip is missing (apt-get install -y python3-pip), or it failed")?;
            std::fs::rename(&to, &folder)?;
        }
        Ok(Self(folder))
    }

    /// Objects as YAML against all versions from `oldest` on.
    pub(super) fn check(&self, text: &str, oldest: (u32, u32)) -> Result<CheckedObjects> {
        let versions: Vec<String> = KUBERNETES
            .iter()
            .filter(|&&version| version >= oldest)
            .map(|(major, minor)| format!("{major}.{minor}"))
            .collect();
        let mut child = Command::new("python3")
            .args(["-c", PROGRAM])
            .args(&versions)
            .env("PYTHONPATH", &self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3 is missing")?;
        let mut input = child.stdin.take().context("its input")?;
        input.write_all(text.as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "the validator failed");
        let answer: ValidatorOutput = serde_json::from_slice(&output.stdout)?;
        let wrong = answer.wrong.iter().filter_map(|(object, version, what)| {
            if what.is_none() && object["apiVersion"] == CUSTOM {
                return None;
            }
            let what = what.as_deref().unwrap_or("no such kind");
            Some(format!("{}, Kubernetes {version}: {what}", called(object)))
        });
        Ok(CheckedObjects {
            wrong: wrong.collect(),
            objects: answer.objects,
            versions,
        })
    }
}
