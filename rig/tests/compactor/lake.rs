//! The lake on S3 and Glue: what is made there, what is refused, and who else can read it.

use std::collections::HashMap;

use aws_sdk_glue::types::TableInput;
use bytes::Bytes;
use compactor::{ErrorKind, Lake};
use futures::TryStreamExt;
use iceberg::{Catalog, CatalogBuilder, TableIdent};
use iceberg_catalog_glue::{GLUE_CATALOG_PROP_WAREHOUSE, GlueCatalogBuilder};

use crate::support::{DAY, events, key};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_open_an_absent_lake_at_once() {
    let world = World::new().await;
    let opened = (0..16).map(|_| async { world.lake().await.load().await.unwrap().metadata().uuid() });
    let mut tables = futures::future::join_all(opened).await;
    tables.dedup();
    assert_eq!(tables.len(), 1, "all of them have the same table");
}

#[tokio::test]
async fn the_table_lies_where_it_should() {
    let world = World::new().await;
    world.put_events(&key(0, "a"), &events(1, DAY, 1, 10)).await;
    world.compact().await;
    let table = world.lake().await.load().await.unwrap();
    let lake = format!("s3://{}/lake", world.bucket);
    assert_eq!(table.metadata().location(), format!("{lake}/{}/requests", world.database));
    assert_eq!(world.keys("lake/consumed/").await.len(), 1);
    let keys = world.keys("").await;
    let elsewhere: Vec<_> = keys.iter().filter(|key| !key.starts_with("lake/") && !key.starts_with("raw/")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    let reopened = world.lake().await;
    assert_eq!(reopened.load().await.unwrap().metadata().uuid(), table.metadata().uuid());
}

/// A table input that Terraform, a crawler or an optimizer could have changed.
#[tokio::test]
async fn what_others_wrote_into_the_entry_outlives_a_commit() {
    let world = World::new().await;
    world.lake().await;
    let glue = &world.glue;
    let entry = || async {
        let answer = glue.get_table().database_name(&world.database).name("requests").send().await.unwrap();
        answer.table.unwrap()
    };
    let before = entry().await;
    let mut parameters: HashMap<String, String> = before.parameters.clone().unwrap();
    parameters.insert("theirs".to_owned(), "x".to_owned());
    let theirs = TableInput::builder().name("requests").description("all requests").set_parameters(Some(parameters));
    let theirs = theirs.set_storage_descriptor(before.storage_descriptor.clone()).table_type("EXTERNAL_TABLE");
    glue.update_table().database_name(&world.database).table_input(theirs.build().unwrap()).send().await.unwrap();
    world.put_events(&key(0, "a"), &events(1, DAY, 1, 10)).await;
    assert_eq!(world.compact().await.commits, 1);
    let after = entry().await;
    let get = |name: &str| after.parameters().unwrap().get(name).map(String::as_str);
    assert_eq!((after.description(), get("theirs")), (Some("all requests"), Some("x")));
    let previous = before.parameters().unwrap().get("metadata_location").map(String::as_str);
    assert_eq!((get("table_type"), get("previous_metadata_location")), (Some("ICEBERG"), previous));
    assert_eq!(after.storage_descriptor().unwrap().columns().len(), event::COLUMNS.len());
}

#[tokio::test]
async fn a_table_of_another_bucket_is_refused() {
    let (world, other) = (World::new().await, World::new().await);
    world.lake().await;
    let open = Lake::on_aws(world.s3.clone(), world.glue.clone(), &other.bucket, &world.database);
    let error = open.await.unwrap_err();
    assert!(error.to_string().contains(&other.bucket), "{error}");
}

#[tokio::test]
async fn a_table_that_is_not_icebergs_is_refused() {
    let world = World::new().await;
    let database = aws_sdk_glue::types::DatabaseInput::builder().name(&world.database).build().unwrap();
    world.glue.create_database().database_input(database).send().await.unwrap();
    let table = TableInput::builder().name("requests").build().unwrap();
    world.glue.create_table().database_name(&world.database).table_input(table).send().await.unwrap();
    let open = Lake::on_aws(world.s3.clone(), world.glue.clone(), &world.bucket, &world.database);
    let error = open.await.unwrap_err();
    assert!(error.to_string().contains("no Iceberg table"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Lake);
}

/// Iceberg's own Glue catalog, over another HTTP stack, reads what ours has written.
#[tokio::test]
async fn icebergs_own_catalog_reads_the_table() {
    let world = World::new().await;
    world.put_events(&key(0, "a"), &events(1, DAY, 1, 100)).await;
    world.compact().await;
    let config = cloud::sdk::config().await;
    let properties = [
        (GLUE_CATALOG_PROP_WAREHOUSE, format!("s3://{}/lake", world.bucket)),
        ("s3.endpoint", config.endpoint_url().unwrap().to_owned()),
        ("s3.region", "us-east-1".to_owned()),
        ("s3.access-key-id", "test".to_owned()),
        ("s3.secret-access-key", "test".to_owned()),
        ("s3.path-style-access", "true".to_owned()),
    ];
    let properties = properties.map(|(name, value)| (name.to_owned(), value)).into();
    let theirs = GlueCatalogBuilder::default().load("theirs", properties).await.unwrap();
    let table = theirs.load_table(&TableIdent::from_strs([&world.database, "requests"]).unwrap()).await.unwrap();
    let scan = table.scan().select(["event_id"]).build().unwrap();
    let batches: Vec<_> = scan.to_arrow().await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 100);
}

/// Over 8 MiB a file goes up in parts, and its pieces come back as they were.
#[tokio::test]
async fn files_of_every_size_are_whole() {
    let world = World::new().await;
    let files = world.lake().await.load().await.unwrap().file_io().clone();
    let megabyte = 1 << 20;
    for (size, piece) in
        [(0, 1), (1, 1), (8 * megabyte, megabyte), (8 * megabyte + 1, 3_000_001), (21 * megabyte, 9 * megabyte)]
    {
        let path = format!("s3://{}/lake/test/{size}", world.bucket);
        let bytes: Vec<u8> = (0..size).map(|index| (index ^ (index >> 8) ^ (index >> 16)) as u8).collect();
        let mut writer = files.new_output(&path).unwrap().writer().await.unwrap();
        for piece in bytes.chunks(piece) {
            writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        assert!(!files.exists(&path).await.unwrap(), "nothing is there before the end");
        writer.close().await.unwrap();
        let input = files.new_input(&path).unwrap();
        assert_eq!(input.metadata().await.unwrap().size, size as u64);
        assert!(input.read().await.unwrap() == bytes, "{size} bytes");
        let reader = input.reader().await.unwrap();
        let (start, end) = (size / 3, size / 2);
        assert!(reader.read(start as u64..end as u64).await.unwrap() == bytes[start..end]);
        assert!(reader.read(0..size as u64 + 1).await.is_err(), "beyond the end");
    }
    assert!(files.delete(&format!("s3://{}/lake/test/1", world.bucket)).await.is_err(), "nothing is ever deleted");
}
