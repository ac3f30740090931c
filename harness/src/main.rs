//! Cyclotron: runs experiments over collectors and says what each costs and leaves behind.

use clap::Parser;
use harness::cli::{Cli, Exit};

fn main() -> std::process::ExitCode {
    Cli::parse().run().unwrap_or_else(|error| Exit::report(&error)).into()
}
