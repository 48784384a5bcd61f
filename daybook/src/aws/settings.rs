//! Which deployment: names from flags, environment or file, and what they leave open from Terraform's outputs.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::cli::{self, Engine};
use crate::failure::{Failure, Result};

/// The names of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bucket of the raw objects, the bodies and the lake.
    pub bucket: String,
    /// Table of the store.
    pub table: String,
    /// Glue database of `requests`.
    pub database: String,
    /// Athena's workgroup.
    pub workgroup: Option<String>,
    /// Who runs queries.
    pub engine: Engine,
}

impl Settings {
    /// The names that are given, else those of the file, else Terraform’s outputs; `None` without `aws`.
    ///
    /// # Errors
    /// Outputs that cannot be read, or a name that nobody says; it says how to.
    pub fn resolve(given: &cli::Settings, from_file: &cli::Settings) -> Result<Option<Self>> {
        if given.aws.or(from_file.aws) != Some(true) {
            return Ok(None);
        }
        let terraform = given.terraform.as_ref().or(from_file.terraform.as_ref());
        let outputs = terraform.map(|place| outputs(place)).transpose()?.unwrap_or_default();
        let name = |of: fn(&cli::Settings) -> &Option<String>, key: &str| {
            of(given).clone().or_else(|| of(from_file).clone()).or_else(|| outputs.get(key).cloned())
        };
        let required = |of: fn(&cli::Settings) -> &Option<String>, key: &str| {
            name(of, key).ok_or_else(|| {
                Failure::new(format!(
                    "--aws needs the deployment's {key}: say --{key}, or --terraform with the folder that it was \
                     applied from"
                ))
            })
        };
        Ok(Some(Self {
            bucket: required(|it| &it.bucket, "bucket")?,
            table: required(|it| &it.table, "table")?,
            database: required(|it| &it.database, "database")?,
            workgroup: name(|it| &it.workgroup, "workgroup"),
            engine: given.engine.or(from_file.engine).unwrap_or(Engine::Athena),
        }))
    }
}

/// Terraform's outputs that are texts: of a folder that it was applied from, or of a file that holds what
/// `terraform output -json` printed.
fn outputs(place: &Path) -> Result<HashMap<String, String>> {
    let json = if place.is_dir() { terraform(place)? } else { file(place)? };
    parse(&json).map_err(Failure::while_(format_args!("read Terraform's outputs of {}", place.display())))
}

fn file(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Failure::while_(format_args!("read {}", path.display())))
}

fn terraform(folder: &Path) -> Result<Vec<u8>> {
    let doing = || format!("run terraform output in {}", folder.display());
    let mut command = Command::new("terraform");
    let output = command.current_dir(folder).args(["output", "-json"]).output();
    let output = output.map_err(Failure::while_(doing()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Failure::while_(doing())(String::from_utf8_lossy(&output.stderr).trim()))
}

fn parse(json: &[u8]) -> serde_json::Result<HashMap<String, String>> {
    let outputs: HashMap<String, serde_json::Value> = serde_json::from_slice(json)?;
    let text = |(name, output): (String, serde_json::Value)| Some((name, output.get("value")?.as_str()?.to_owned()));
    Ok(outputs.into_iter().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUTS: &str = r#"{
        "bucket": {"sensitive": false, "type": "string", "value": "daybook-1"},
        "table": {"sensitive": false, "type": "string", "value": "daybook"},
        "database": {"sensitive": false, "type": "string", "value": "daybook"},
        "alarms": {"sensitive": false, "type": ["tuple", []], "value": []}
    }"#;

    fn given(change: impl FnOnce(&mut cli::Settings)) -> cli::Settings {
        let mut given = cli::Settings { aws: Some(true), ..cli::Settings::default() };
        change(&mut given);
        given
    }

    #[test]
    fn names_come_from_flags_then_from_terraform() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outputs.json");
        std::fs::write(&file, OUTPUTS).unwrap();
        let settings = Settings::resolve(
            &given(|it| it.table = Some("other".to_owned())),
            &given(|it| {
                it.terraform = Some(file);
                it.table = Some("hidden".to_owned());
            }),
        );
        let settings = settings.unwrap().unwrap();
        assert_eq!((settings.bucket.as_str(), settings.table.as_str()), ("daybook-1", "other"));
        assert_eq!((settings.workgroup, settings.engine), (None, Engine::Athena));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Settings::resolve(&cli::Settings::default(), &cli::Settings::default()).unwrap(), None);
        let refused = |given| Settings::resolve(&given, &cli::Settings::default()).unwrap_err().to_string();
        assert!(refused(given(|_| {})).contains("say --bucket"));
        assert!(refused(given(|it| it.bucket = Some("b".to_owned()))).contains("say --table"));
        assert!(refused(given(|it| it.terraform = Some("/nowhere".into()))).contains("/nowhere"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outputs.json");
        std::fs::write(&file, "[]").unwrap();
        assert!(refused(given(|it| it.terraform = Some(file))).contains("Terraform's outputs"));
    }
}
