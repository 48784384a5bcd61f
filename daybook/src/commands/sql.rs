//! `daybook sql`: any question about the log.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use tokio::runtime::Handle;

use crate::cli::SqlArgs;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::installation::Installation;
use crate::output::print;
use crate::sql::{Asker, prompt};

/// The prompt's history, in the data folder.
const HISTORY: &str = "sql.history";

/// Answers a statement, or asks for them at a prompt.
pub async fn run(config: &Config, args: &SqlArgs) -> Result<ExitCode> {
    #[cfg(feature = "aws")]
    if config.aws.is_some() {
        return Err(Failure::new("sql asks a folder; of a deployment, ask Athena"));
    }
    let installation = Installation::existing(&config.data, ingest::System::real()).await?;
    // The table is made here: the process that runs the statement only reads.
    installation.lake().await?.load().await?;
    let asker = Asker::new(installation.folder().to_owned(), args.limits.clone(), args.output)?;
    let statement = match &args.statement {
        Some(statement) => statement.clone(),
        None if std::io::stdin().is_terminal() => {
            let (history, runtime) = (installation.folder().join(HISTORY), Handle::current());
            let prompt = tokio::task::spawn_blocking(move || prompt::run(&asker, &history, &runtime));
            prompt.await.map_err(Failure::while_("run the prompt"))??;
            return Ok(ExitCode::SUCCESS);
        }
        None => {
            let mut statement = String::new();
            std::io::stdin().read_to_string(&mut statement).map_err(Failure::while_("read standard input"))?;
            statement
        }
    };
    print(&asker.ask(&statement).await?)?;
    Ok(ExitCode::SUCCESS)
}
