//! Ids never repeat and always grow, whatever the clock and the dice do.

use event::{EventId, EventIds, Timestamp};
use proptest::prelude::*;

proptest! {
    #[test]
    fn ids_grow(steps in prop::collection::vec((0..4_000_000_000_000_000_i64, any::<[u8; 16]>()), 1..40)) {
        let (mut ids, mut last) = (EventIds::default(), EventId::default());
        for (micros, random) in steps {
            let id = ids.next(Timestamp::from_micros(micros), random);
            prop_assert!(id > last);
            prop_assert_eq!((id.as_u128() >> 76) & 0xf, 7);
            prop_assert_eq!((id.as_u128() >> 62) & 0b11, 0b10);
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
            prop_assert!(id.as_u128() >> 80 >= u128::from(micros.unsigned_abs() / 1_000));
            last = id;
        }
        prop_assert!(EventIds::after(last).next(Timestamp::from_micros(0), [0; 16]) > last);
    }

    #[test]
    fn text_is_an_id_or_not(text in any::<String>()) {
        if let Ok(id) = text.parse::<EventId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn times_are_read_as_written(micros in any::<i64>(), text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z") {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        if let Ok(time) = Timestamp::parse(&text) {
            prop_assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn any_text_is_a_time_or_not(text in any::<String>()) {
        let _ = Timestamp::parse(&text);
        let _ = event::key::arrival_day(&text);
    }
}
