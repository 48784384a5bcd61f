//! How lines travel through Firehose: many to a record, many records to a call.
//!
//! Firehose bills 5 KiB steps per record, and a line is a third of that: full records cost a fraction.

/// Largest record, bytes.
pub const RECORD: usize = 1_000 << 10;
/// Most records in a call.
pub const RECORDS: usize = 500;
/// Most bytes of records in a call.
pub const CALL: usize = 4 << 20;

/// Some lines, each with its line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The text.
    pub text: Vec<u8>,
    /// How many lines it has.
    pub lines: usize,
}

/// Packs lines into as few records as their order allows.
///
/// # Errors
/// The index of the first line that no record can hold.
pub fn records<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Result<Vec<Record>, usize> {
    let mut records: Vec<Record> = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        let line = line.as_ref();
        if line.len() >= RECORD {
            return Err(index);
        }
        match records.last_mut().filter(|record| record.text.len() + line.len() < RECORD) {
            Some(record) => record.push(line),
            None => {
                let mut record = Record { text: Vec::with_capacity(line.len() + 1), lines: 0 };
                record.push(line);
                records.push(record);
            }
        }
    }
    Ok(records)
}

/// Groups records into calls, in their order.
pub fn calls(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut calls: Vec<Vec<Record>> = Vec::new();
    let mut bytes = 0;
    for record in records {
        bytes += record.text.len();
        match calls.last_mut().filter(|call| call.len() < RECORDS && bytes <= CALL) {
            Some(call) => call.push(record),
            None => {
                bytes = record.text.len();
                calls.push(vec![record]);
            }
        }
    }
    calls
}

impl Record {
    fn push(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
        self.lines += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes(lines: &[usize]) -> Vec<(usize, usize)> {
        let lines: Vec<Vec<u8>> = lines.iter().map(|size| vec![b'x'; *size]).collect();
        records(&lines).unwrap().iter().map(|record| (record.text.len(), record.lines)).collect()
    }

    #[test]
    fn a_record_is_filled_to_its_last_byte() {
        assert!(sizes(&[]).is_empty());
        assert_eq!(sizes(&[RECORD - 1]), [(RECORD, 1)]);
        assert_eq!(sizes(&[RECORD - 3, 1]), [(RECORD, 2)]);
        assert_eq!(sizes(&[RECORD - 2, 1]), [(RECORD - 1, 1), (2, 1)]);
        assert_eq!(records([vec![b'x'; 5], vec![b'x'; RECORD]]), Err(1));
    }

    #[test]
    fn a_call_is_filled_to_its_last_byte_and_record() {
        let of = |size: usize| Record { text: vec![b'x'; size], lines: 1 };
        let counts = |sizes: Vec<usize>| -> Vec<usize> {
            calls(sizes.into_iter().map(of).collect()).iter().map(Vec::len).collect()
        };
        assert!(counts(Vec::new()).is_empty());
        assert_eq!(counts(vec![RECORD, RECORD, RECORD, RECORD, CALL - 4 * RECORD]), [5]);
        assert_eq!(counts(vec![RECORD, RECORD, RECORD, RECORD, CALL - 4 * RECORD + 1]), [4, 1]);
        assert_eq!(counts(vec![1; RECORDS + 1]), [RECORDS, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn nothing_is_lost_and_no_limit_broken(sizes in prop::collection::vec(0..RECORD, 0..40)) {
            let lines: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(n, size)| vec![n as u8 + b'0'; *size]).collect();
            let calls = calls(records(&lines).unwrap());
            let text: Vec<u8> = calls.iter().flatten().flat_map(|record| record.text.clone()).collect();
            prop_assert!(text == lines.iter().fold(Vec::new(), |text, line| [&text[..], line, b"\n"].concat()));
            for call in &calls {
                prop_assert!(call.len() <= RECORDS && call.iter().map(|record| record.text.len()).sum::<usize>() <= CALL);
                for record in call {
                    prop_assert!(record.text.len() <= RECORD && record.lines > 0);
                }
            }
            prop_assert_eq!(calls.iter().flatten().map(|record| record.lines).sum::<usize>(), lines.len());
        }
    }
}
