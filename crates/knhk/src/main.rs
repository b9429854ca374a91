//! The `knhk` command line.

mod archive;
mod audit;
mod bench;
mod bounded;
mod change_file;
mod choice;
mod clean;
mod cli;
mod conformance;
mod consistency;
mod cycle;
mod dead_letter;
mod embedded;
mod error;
mod explain;
mod export;
mod fresh;
mod from_decisions;
mod inputs;
mod intake;
mod kept;
mod measure;
mod notice;
mod observe;
mod ontology;
mod packs;
mod proposals;
mod propose;
mod prove;
mod query;
mod receipts;
mod refusal;
mod replay;
mod report;
mod restore;
mod retention;
mod rollback;
mod sealed_at;
mod sector;
mod session;
mod show_drift;
mod show_proposal;
mod show_run;
mod signing;
mod table;
mod verify;
mod waiting;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command, Format, Proposals, Receipts};
use crate::error::CliError;

/// Exit codes beside those of [`CliError::exit_code`].
mod exit {
    pub(crate) const DONE: u8 = 0;
    pub(crate) const HELD_OR_REJECTED: u8 = 1;
    pub(crate) const NO: u8 = 1;
    pub(crate) const DEAD_LETTERED: u8 = 2;
    pub(crate) const USAGE: u8 = 4;
    pub(crate) const FAILED: u8 = 6;
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::DONE };
            // A closed pipe leaves nobody to tell.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let stdout = io::BufWriter::new(io::stdout().lock());
    // Programs read JSON, which escapes by itself, and scripts, which hold nothing from outside; people read text.
    let for_programs = match &cli.command {
        Command::Completions { .. } => true,
        Command::Ontology(command) => ontology::is_for_programs(command),
        _ => false,
    };
    let for_people = cli.format == Format::Text && !for_programs;
    let mut out: Box<dyn Write> = if for_people { Box::new(clean::Clean(stdout)) } else { Box::new(stdout) };
    let done = run(&cli, &mut out).and_then(|code| out.flush().map_err(CliError::Output).map(|()| code));
    match done {
        Ok(code) => ExitCode::from(code),
        // Whoever reads the output has seen enough.
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(exit::DONE)
        }
        Err(error) => {
            report_error(&cli, &error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn report_error(cli: &Cli, error: &CliError) {
    let mut err = io::stderr().lock();
    let text = if cli.format == Format::Text {
        clean::clean(&format!("error {}: {error}\n  more: knhk explain {}\n", error.code(), error.code()))
    } else {
        format!(
            "{}\n",
            serde_json::json!({ "error": { "code": error.code(), "message": error.to_string() } })
        )
    };
    // Nothing is left to do when standard error is closed.
    let _ = err.write_all(text.as_bytes());
}

fn run(cli: &Cli, out: &mut dyn Write) -> Result<u8, CliError> {
    match &cli.command {
        Command::Observe(args) => {
            let run = observe::run(args)?;
            match cli.format {
                Format::Text => show_run::write(&run, out).map_err(CliError::Output)?,
                Format::Json => json(out, &run.report)?,
                Format::Ndjson => report::stream(&run.report, out)?,
            }
            Ok(observe_code(&run.report))
        }
        Command::Sector(command) => sector::run(command, cli.format, out),
        Command::Ontology(command) => ontology::run(command, cli.format, out),
        Command::Proposals(command) => match command {
            Proposals::List { data } => proposals::list(&data.data, cli.format, out),
            Proposals::Show { data, id } => proposals::show(&data.data, id, cli.format, out),
            Proposals::Promote { data, key, id } => proposals::promote(&data.data, key, id, cli.format, out),
            Proposals::Reject { data, key, id, reason } => {
                proposals::reject(&data.data, key, id, reason, cli.format, out)
            }
        },
        Command::Check(args) => propose::check(args, cli.format, out),
        Command::Propose(args) => propose::propose(args, cli.format, out),
        Command::Rollback(args) => rollback::run(args, cli.format, out),
        Command::Receipts(command) => match command {
            Receipts::List { data, sector } => receipts::list(&data.data, sector.as_deref(), cli.format, out),
            Receipts::Show { data, id } => receipts::show(&data.data, id, out),
            Receipts::Prove(args) => prove::run(args, out),
            Receipts::Check { proof, key, event } => {
                receipts::check(proof, key, event.as_deref(), cli.format, out)
            }
        },
        Command::Log(cli::LogCommand::Verify { dir, key, roots, since }) => {
            let wanted = verify::Wanted { key: key.as_deref(), roots: *roots, since: since.as_deref() };
            verify::run(dir, &wanted, cli.format, out)
        }
        Command::Log(cli::LogCommand::Consistency { data, from, output }) => {
            consistency::prove(&data.data, from, output.as_deref(), out)
        }
        Command::Log(cli::LogCommand::CheckConsistency { proof, key, from }) => {
            consistency::check(proof, key, from.as_deref(), cli.format, out)
        }
        Command::Log(cli::LogCommand::Export { data, tiles }) => {
            export::tiles(&data.data, tiles, cli.format, out)
        }
        Command::Log(cli::LogCommand::Seal { data, key }) => {
            retention::seal(&data.data, key, cli.format, out)
        }
        Command::Log(cli::LogCommand::Retain(args)) => retention::retain(args, cli.format, out),
        Command::Log(cli::LogCommand::Erase(args)) => retention::erase(args, cli.format, out),
        Command::Log(cli::LogCommand::Salvage { data, key }) => {
            retention::salvage(&data.data, key, cli.format, out)
        }
        Command::Audit(cli::Audit::Bundle(args)) => audit::make(args, cli.format, out),
        Command::Audit(cli::Audit::Check { bundle, key }) => audit::check(bundle, key, cli.format, out),
        Command::Replay(args) => replay::run(args, cli.format, out),
        Command::Bench(command) => bench::run(command, cli.format, out),
        Command::Explain { code: Some(code) } => {
            out.write_all(explain::page(code)?.as_bytes()).map_err(CliError::Output)?;
            Ok(exit::DONE)
        }
        Command::Completions { shell } => {
            // The generator panics when what it writes to fails, as a closed pipe does.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "knhk", &mut script);
            out.write_all(&script).map_err(CliError::Output)?;
            Ok(exit::DONE)
        }
        Command::Explain { code: None } => {
            let mut table = table::Table::new(&["code", "meaning"]);
            for (code, title) in explain::titles() {
                table.row([code.to_owned(), title.to_owned()]);
            }
            table.write(out).map_err(CliError::Output)?;
            Ok(exit::DONE)
        }
    }
}

fn observe_code(report: &report::Report) -> u8 {
    if report.cycle.outcome == "failed" {
        exit::FAILED
    } else if report.observations.rejected > 0 {
        exit::DEAD_LETTERED
    } else if report.waiting > 0 || report.cycle.outcome != "success" {
        exit::HELD_OR_REJECTED
    } else {
        exit::DONE
    }
}

/// Writes one JSON document and a newline.
pub(crate) fn json<T: serde::Serialize + ?Sized>(out: &mut dyn Write, value: &T) -> Result<(), CliError> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from).map_err(CliError::Output)?;
    out.write_all(b"\n").map_err(CliError::Output)
}

/// Writes one JSON object on one line.
pub(crate) fn json_line<T: serde::Serialize + ?Sized>(
    out: &mut dyn Write,
    value: &T,
) -> Result<(), CliError> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from).map_err(CliError::Output)?;
    out.write_all(b"\n").map_err(CliError::Output)
}
