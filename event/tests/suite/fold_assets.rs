//! An asset's state is a fold of its events, through uploads, removals, ends and new beginnings (I4, I5).

use event::domain::asset::{self, Asset, Command, Content, NewAsset, Status};
use event::domain::{self, Lifetime, Refusal, State};
use event::{Event, EventIds, Timestamp};
use proptest::prelude::*;

const ID: &str = "cat_1";

fn command() -> impl Strategy<Value = Command> {
    let fields = (crate::support::odd_text(), prop::option::of(0..9_i64), 0..3_u32);
    let create = fields.prop_map(|(file_name, content_length, days)| {
        let content_type = "text/plain".to_owned();
        let new = NewAsset { asset_id: Some(ID.to_owned()), file_name, content_type, content_length };
        Command::Create(new, "assets/default/cat_1/1".to_owned(), Lifetime::of_days(days))
    });
    let upload = (0..9_i64, "[a-z0-9:]{1,9}").prop_map(|(size, checksum)| Command::Upload(Content { size, checksum }));
    prop_oneof![3 => create, 3 => upload, 2 => Just(Command::Delete)]
}

/// What must be said of a command that is not carried out.
fn refusal(there: Option<&Asset>, command: &Command) -> Option<Refusal> {
    match (there, command) {
        (Some(_), Command::Create(..)) => Some(Refusal::Exists),
        (Some(asset), Command::Upload(_)) if asset.status == Status::Uploaded => Some(Refusal::Exists),
        (None, Command::Upload(_) | Command::Delete) => Some(Refusal::NotFound),
        _ => None,
    }
}

proptest! {
    #[test]
    fn the_log_folds_to_what_was_decided(
        steps in prop::collection::vec((command(), prop_oneof![-5..100_i64, 80_000..200_000_i64]), 1..40)
    ) {
        let (mut ids, mut seconds, mut version) = (EventIds::default(), 1_000, 0);
        let (mut asset, mut state): (Option<Asset>, Option<State>) = (None, None);
        for (command, later) in steps {
            seconds += later;
            let now = Timestamp::from_micros(seconds * 1_000_000);
            let is_there =
                |asset: &&Asset| asset.deleted_at.is_none() && asset.expires_at.is_none_or(|end| end > seconds);
            let end = asset.as_ref().filter(is_there).and_then(|asset| asset.expires_at);
            let keeps_end = matches!(command, Command::Upload(_));
            let expected = refusal(asset.as_ref().filter(is_there), &command);
            let change = match asset::decide(asset.as_ref(), command, None, ID, now) {
                Ok(change) => change,
                Err(refusal) => {
                    prop_assert_eq!(Some(refusal), expected);
                    continue;
                }
            };
            version += 1;
            prop_assert_eq!((change.version, expected), (version, None));
            let event = Event {
                event_id: ids.next(now, [3; 16]),
                event_type: change.event_type.to_owned(),
                received_at: now,
                entity_type: Some(asset::ENTITY.to_owned()),
                entity_id: Some(ID.to_owned()),
                entity_version: Some(change.version),
                event_data: Some(change.data.to_string()),
                ..Event::default()
            };
            // As the log keeps it.
            let event = Event::from_line(&event.sealed().to_line()).unwrap();
            let next = domain::evolve(state.as_ref(), &event).unwrap();
            prop_assert_eq!(&next, &change.state);
            let read: Asset = serde_json::from_str(next.as_str()).unwrap();
            prop_assert!(!keeps_end || read.expires_at == end);
            prop_assert_eq!(&State::of(&read), &next);
            (asset, state) = (Some(read), Some(next));
        }
    }

    #[test]
    fn bodies_are_read_or_refused(
        body in prop_oneof![
            crate::support::odd_text(),
            "\\{(\"(assetId|fileName|contentType)\":\"[a-z/.; =\\\\]{0,9}\",){1,3}\"contentLength\":-?[0-9.e]{1,4}\\}",
        ]
    ) {
        if let Ok(new) = NewAsset::parse(&body) {
            prop_assert!(new.asset_id.as_deref().is_none_or(asset::is_id));
            prop_assert!(!new.file_name.contains(['/', '\\', '\0', '\n']));
            prop_assert!(new.content_type.is_ascii() && new.content_type.contains('/'));
            prop_assert!(new.content_length.is_none_or(|length| (0..=asset::LENGTH_MAX).contains(&length)));
        }
    }
}
