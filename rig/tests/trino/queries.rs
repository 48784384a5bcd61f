//! Every named query on both engines: the same answers, asked as a statement with its values in it and as one with
//! parameters.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use query::aws::AthenaEngine;
use query::local::LocalEngine;
use query::{CellKind, NamedQuery, QueryEngine, Rows, named};

use crate::bounds::Bounds;
use crate::equal::check;
use crate::parameters::{Case, cases};
use crate::world::{nothing, query_of, world};

/// Questions that are asked at once.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_has_the_same_answer_on_trino() {
    let world = world().await;
    let (local, (_athena, engine)) = (world.local().await, world.athena(|_| {}).await);
    let asked: Vec<(&NamedQuery, Case)> = named::all()
        .iter()
        .flat_map(|query| cases(query, &world.rows).into_iter().map(move |case| (query, case)))
        .collect();
    let answers = stream::iter(asked.iter().map(|(query, case)| ask(&local, &engine, query, case)));
    let answers: Vec<Result<Rows, String>> = answers.buffered(AT_ONCE).collect().await;
    let wrong: Vec<&String> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{} of {} answers differ:\n{}", wrong.len(), answers.len(), join(&wrong));

    let rows: usize = answers.iter().flatten().map(|answer| answer.rows.len()).sum();
    let (mut full, mut kinds) = (0, BTreeSet::new());
    let mut answered = BTreeSet::new();
    for ((query, _), answer) in asked.iter().zip(answers.iter().flatten()) {
        kinds.extend(answer.columns.iter().map(|column| column.kind.name()));
        if !answer.rows.is_empty() {
            full += 1;
            answered.insert(query.name);
        }
    }
    println!("{} questions, {} ways to ask, {full} answers with rows, {rows} rows", named::all().len(), asked.len());
    let unanswered: Vec<&str> = named::all().iter().map(|it| it.name).filter(|it| !answered.contains(it)).collect();
    assert!(unanswered.is_empty(), "no rows for {unanswered:?}");
    assert!(full * 10 >= asked.len() * 8, "{full} of {} answers have rows", asked.len());
    let all = [CellKind::Text, CellKind::Int, CellKind::Float, CellKind::Bool, CellKind::Timestamp];
    assert_eq!(kinds, all.iter().map(|kind| kind.name()).collect());
}

fn join(wrong: &[&String]) -> String {
    wrong.iter().map(|text| text.chars().take(1_500).collect::<String>()).collect::<Vec<_>>().join("\n\n")
}

/// The answer that all have given; where they differ, how.
async fn ask(local: &LocalEngine, engine: &AthenaEngine, query: &NamedQuery, case: &Case) -> Result<Rows, String> {
    let told =
        |who: &str, error: String| format!("{} {:?} of {:?}, {who}: {error}", query.name, case.given, case.tenant);
    let failed = |who: &'static str| move |error: query::Error| (who, error.to_string());
    let answer = async {
        let params = case.bind(query);
        let ours = local.run(query, &params).await.map_err(failed("here"))?;
        let bounds = Bounds::of(query);
        let bounded = local.run(&bounds.query, &case.bind(&bounds.query)).await;
        let mut bounded = bounded.map_err(failed("its bounds"))?;
        let estimates = bounds.split(&mut bounded);
        if ours.rows != bounded.rows {
            return Err(("its bounds", "they change the answer".to_owned()));
        }
        let theirs = engine.run(query, &params).await.map_err(failed("there"))?;
        check(query, &ours, &theirs, &estimates).map_err(|error| ("with parameters", error))?;
        if case.as_statement {
            let statement = query_of(query.render(&params).map_err(failed("rendered"))?);
            let theirs = engine.run(&statement, &nothing(&statement)).await.map_err(failed("its statement there"))?;
            check(query, &ours, &theirs, &estimates).map_err(|error| ("as a statement", error))?;
        }
        Ok(ours)
    };
    answer.await.map_err(|(who, error)| told(who, error))
}
