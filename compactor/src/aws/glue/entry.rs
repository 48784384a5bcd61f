//! A table's entry in Glue: where its metadata lies, its columns for those who look, and what others wrote there.

use std::collections::HashMap;

use aws_sdk_glue::types::{Column, StorageDescriptor, Table, TableInput};
use event::COLUMNS;
use iceberg::spec::TableMetadata;
use iceberg::{Error, ErrorKind, Result};

/// Parameter: where the current metadata lies. This is what makes an entry an Iceberg table's.
const METADATA_LOCATION: &str = "metadata_location";
/// Parameter: where it lay before.
const PREVIOUS_METADATA_LOCATION: &str = "previous_metadata_location";
/// The longest comment that Glue takes.
const COMMENT: usize = 255;

/// An entry as it was read.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) metadata_location: String,
    /// What an update has to name to be made on this entry and no other.
    pub(super) version: String,
    table: Table,
}

impl Entry {
    /// # Errors
    /// It is no Iceberg table's, or has no version, without which a commit could not be fenced.
    pub(super) fn new(table: Table) -> Result<Self> {
        let name = &table.name;
        let lacks =
            |what: &str| Error::new(ErrorKind::DataInvalid, format!("the entry of {name} in Glue has no {what}"));
        let location = table.parameters().and_then(|parameters| parameters.get(METADATA_LOCATION)).cloned();
        let metadata_location = location.ok_or_else(|| lacks("metadata_location: it is no Iceberg table"))?;
        let version = table.version_id.clone().ok_or_else(|| lacks("version"))?;
        Ok(Self { metadata_location, version, table })
    }

    /// The entry with other metadata. All else that it says stays: description, owner, what optimizers keep there.
    pub(super) fn updated(self, metadata: &TableMetadata, location: &str) -> Result<TableInput> {
        let mut parameters = self.table.parameters.unwrap_or_default();
        parameters.insert(METADATA_LOCATION.to_owned(), location.to_owned());
        parameters.insert(PREVIOUS_METADATA_LOCATION.to_owned(), self.metadata_location);
        let storage = self.table.storage_descriptor.unwrap_or_else(|| StorageDescriptor::builder().build());
        TableInput::builder()
            .name(self.table.name)
            .set_description(self.table.description)
            .set_owner(self.table.owner)
            .retention(self.table.retention)
            .set_partition_keys(self.table.partition_keys)
            .set_table_type(self.table.table_type)
            .set_parameters(Some(parameters))
            .storage_descriptor(described(storage, metadata)?)
            .build()
            .map_err(invalid)
    }
}

/// The entry of a new table.
pub(super) fn created(name: &str, metadata: &TableMetadata, location: &str) -> Result<TableInput> {
    let parameters = HashMap::from([
        ("table_type".to_owned(), "ICEBERG".to_owned()),
        (METADATA_LOCATION.to_owned(), location.to_owned()),
    ]);
    TableInput::builder()
        .name(name)
        .table_type("EXTERNAL_TABLE")
        .set_parameters(Some(parameters))
        .storage_descriptor(described(StorageDescriptor::builder().build(), metadata)?)
        .build()
        .map_err(invalid)
}

/// Columns and place. Iceberg's readers take them from the metadata; consoles and grants take them from here.
fn described(mut storage: StorageDescriptor, metadata: &TableMetadata) -> Result<StorageDescriptor> {
    storage.columns = Some(columns()?);
    storage.location = Some(metadata.location().to_owned());
    Ok(storage)
}

/// The table's columns in the words of Glue, marked as Iceberg's own catalog marks them.
fn columns() -> Result<Vec<Column>> {
    let column = |(column, id): (&event::Column, i32)| {
        Column::builder()
            .name(column.name)
            .r#type(column.kind.name())
            .comment(column.meaning.chars().take(COMMENT).collect::<String>())
            .parameters("iceberg.field.id", id.to_string())
            .parameters("iceberg.field.optional", (!column.required).to_string())
            .parameters("iceberg.field.current", "true")
            .build()
            .map_err(invalid)
    };
    COLUMNS.iter().zip(1..).map(column).collect()
}

fn invalid(error: aws_sdk_glue::error::BuildError) -> Error {
    Error::new(ErrorKind::DataInvalid, format!("describe the table to Glue: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> TableMetadata {
        let creation = iceberg::TableCreation::builder()
            .name("requests".to_owned())
            .location("s3://b/lake/daybook/requests".to_owned())
            .schema(crate::schema::iceberg_schema().unwrap())
            .build();
        iceberg::spec::TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata
    }

    fn entry(parameters: &[(&str, &str)]) -> Table {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Table::builder().name("requests").set_parameters(Some(parameters)).version_id("7").build().unwrap()
    }

    #[test]
    fn an_update_keeps_what_others_wrote() {
        let mut theirs = entry(&[(METADATA_LOCATION, "s3://b/1"), ("table_type", "ICEBERG"), ("theirs", "x")]);
        theirs.description = Some("all requests".to_owned());
        theirs.owner = Some("them".to_owned());
        theirs.retention = 3;
        theirs.storage_descriptor = Some(StorageDescriptor::builder().input_format("theirs").build());
        let updated = Entry::new(theirs).unwrap().updated(&metadata(), "s3://b/2").unwrap();
        let parameters = updated.parameters().unwrap();
        let get = |name: &str| parameters.get(name).map(String::as_str);
        assert_eq!((get(METADATA_LOCATION), get(PREVIOUS_METADATA_LOCATION)), (Some("s3://b/2"), Some("s3://b/1")));
        assert_eq!((get("table_type"), get("theirs")), (Some("ICEBERG"), Some("x")));
        assert_eq!((updated.description(), updated.owner()), (Some("all requests"), Some("them")));
        assert_eq!(updated.retention(), 3);
        let storage = updated.storage_descriptor().unwrap();
        assert_eq!(
            (storage.input_format(), storage.location()),
            (Some("theirs"), Some("s3://b/lake/daybook/requests"))
        );
        assert_eq!(storage.columns().len(), COLUMNS.len());
    }

    #[test]
    fn an_entry_without_metadata_or_version_is_refused() {
        let no_table = Entry::new(entry(&[("classification", "json")])).unwrap_err();
        assert!(no_table.to_string().contains("no Iceberg table"), "{no_table}");
        let mut unversioned = entry(&[(METADATA_LOCATION, "s3://b/1")]);
        unversioned.version_id = None;
        assert!(Entry::new(unversioned).unwrap_err().to_string().contains("has no version"));
    }

    #[test]
    fn columns_are_what_glue_takes() {
        for column in columns().unwrap() {
            assert!(column.comment().is_some_and(|comment| comment.len() <= COMMENT && !comment.contains('\n')));
        }
    }
}
