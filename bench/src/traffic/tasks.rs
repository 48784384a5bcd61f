//! Tasks that are made, changed and removed, each by the product's own `decide` and `evolve`.

use event::domain::task::{Command, Patch, Priority, Status, Task, decide, evolve};
use event::{Event, Timestamp};

use super::random::Random;
use super::text::Author;

/// How many tasks are in use at once; a new one then takes the place of another, which is touched no more.
const KEPT: usize = 50_000;

/// A task and the hash of its last change.
#[derive(Debug, Clone)]
pub struct Known {
    pub task: Task,
    hash: String,
    tenant: String,
}

/// The tasks that may be asked for.
#[derive(Debug, Default)]
pub struct Tasks(Vec<Known>);

impl Tasks {
    /// Any of the tasks; `None` while there are none.
    pub fn any(&self, random: &mut Random) -> Option<usize> {
        (!self.0.is_empty()).then(|| random.below(self.0.len() as u64) as usize)
    }

    pub fn get(&self, place: usize) -> &Known {
        &self.0[place]
    }

    /// Carries `command` out and writes down in `event` what it did.
    pub fn change(
        &mut self,
        random: &mut Random,
        place: Option<usize>,
        id: &str,
        command: Command,
        mut event: Event,
    ) -> Event {
        let current = place.map(|place| self.0[place].clone());
        let task = current.as_ref().map(|known| &known.task);
        let Ok(change) = decide(task, command, None, id, event.received_at) else { return event };
        let Ok(next) = evolve(task, change.event_type, &change.data, id, event.received_at) else { return event };
        event.event_type = change.event_type.to_owned();
        event.operation = Some(change.operation.as_str().to_owned());
        event.entity_type = Some("task".to_owned());
        event.entity_id = Some(id.to_owned());
        event.entity_version = Some(change.version);
        event.event_data = Some(change.data.to_string());
        event.state_hash = Some(change.state.hash());
        event.state_after = Some(change.state.as_str().to_owned());
        // Nobody changes another tenant's task, so a change is its owner's whoever was drawn.
        (event.prev_event_hash, event.tenant) = match current {
            Some(known) => (Some(known.hash), known.tenant),
            None => (None, event.tenant),
        };
        event.ingest_path = "stream".to_owned();
        let event = event.sealed();
        self.keep(random, place, Known { task: next, hash: event.event_hash.clone(), tenant: event.tenant.clone() });
        event
    }

    fn keep(&mut self, random: &mut Random, place: Option<usize>, known: Known) {
        match place {
            Some(place) if known.task.deleted_at.is_some() => drop(self.0.swap_remove(place)),
            Some(place) => self.0[place] = known,
            None if self.0.len() < KEPT => self.0.push(known),
            None => {
                let place = random.below(KEPT as u64) as usize;
                self.0[place] = known;
            }
        }
    }
}

const STATUSES: &[Status] = &[Status::New, Status::InProgress, Status::Completed, Status::Cancelled];
const PRIORITIES: &[Priority] = &[Priority::Low, Priority::Medium, Priority::High, Priority::Urgent];

/// What to ask of a new task, and the body that asks for it.
pub fn creation(random: &mut Random, author: &Author) -> (Command, String) {
    let words = 4 + random.below(30);
    let (task, priority) = (author.text(random, words), random.one_of(PRIORITIES));
    let body = serde_json::json!({ "task": task, "priority": priority }).to_string();
    (Command::Create { task, status: Status::New, priority }, body)
}

/// What to change of a task, and the body that asks for it.
pub fn update(random: &mut Random, author: &Author) -> (Command, String) {
    let words = 4 + random.below(30);
    let patch = Patch {
        task: random.once_in(4).then(|| author.text(random, words)),
        status: Some(random.one_of(STATUSES)),
        priority: random.once_in(3).then(|| random.one_of(PRIORITIES)),
    };
    let body = serde_json::to_string(&patch).unwrap_or_default();
    (Command::Update(patch), body)
}

/// A task's age in the log does not matter here; its id only has to be like those of the API.
pub fn id(random: &mut Random, at: Timestamp) -> String {
    event::EventIds::default().next(at, random.bytes()).to_string()
}
