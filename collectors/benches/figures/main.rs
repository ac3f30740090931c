//! The figures of the collectors: each beside its goal and what it is compared with, from one run.
//!
//! ```text
//! cargo bench -p collectors                       the whole, some minutes
//! cargo bench -p collectors -- --quick            a tenth of the sizes
//! cargo bench -p collectors -- --only counting    one part; a wrong name lists them all
//! cargo bench -p collectors -- --json FILE        writes the figures too
//! ```
//!
//! Times are CPU time of the measuring thread, the median of repetitions in which all sides of a comparison take turns,
//! on heaps whose memory has been touched by a round before. The exception is work shared by threads: that is by the
//! clock on the wall.

mod beside;
mod counting;
mod cycles;
mod figure;
mod graphs;
mod live;
mod loads;
mod measure;
mod peers;
mod python;
mod stores;
mod trial;

use std::process::ExitCode;

use self::figure::Figure;

/// How much of everything there is.
pub(crate) struct Scale {
    /// Nodes in most graphs.
    nodes: usize,
    /// Levels of the tree below its root.
    tree_depth: u32,
    /// Live nodes in the smaller heap of a young collection.
    few_live: usize,
    /// Live nodes in the larger one, and where bytes are counted.
    many_live: usize,
    /// Nodes built while pauses are looked at.
    growing: usize,
    /// How often most things are measured.
    repetitions: usize,
}

const FULL: Scale = Scale {
    nodes: 1_000_000,
    tree_depth: 19,
    few_live: 100_000,
    many_live: 10_000_000,
    growing: 5_000_000,
    repetitions: 7,
};

const QUICK: Scale = Scale {
    nodes: 100_000,
    tree_depth: 16,
    few_live: 10_000,
    many_live: 1_000_000,
    growing: 500_000,
    repetitions: 5,
};

/// The load above which a machine is too busy to be measured on: half a thread besides us.
const BUSY: f64 = 0.5;

/// What the command line asks for.
struct Request {
    scale: &'static Scale,
    parts: Vec<&'static Part>,
    json: Option<String>,
}

/// Some figures that are measured together.
struct Part {
    name: &'static str,
    figures: fn(&Scale, &mut dyn FnMut(Figure)),
}

static PARTS: &[Part] = &[
    Part { name: "counting", figures: counting::figures },
    Part { name: "loads", figures: loads::figures },
    Part { name: "stores", figures: stores::figures },
    Part { name: "cycles", figures: cycles::figures },
    Part { name: "live", figures: live::figures },
    Part { name: "trial", figures: trial::figures },
    Part { name: "beside", figures: beside::figures },
];

fn request() -> Result<Request, String> {
    let mut request = Request { scale: &FULL, parts: PARTS.iter().collect(), json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo says so to every bench.
            "--bench" => {}
            "--quick" => request.scale = &QUICK,
            "--only" => {
                let name = arguments.next().unwrap_or_default();
                request.parts.retain(|part| part.name == name);
                if request.parts.is_empty() {
                    let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
                    return Err(format!(
                        "`--only` was given `{name}`, expected one of {}",
                        names.join(", ")
                    ));
                }
            }
            "--json" => {
                let file = arguments.next();
                request.json =
                    Some(file.ok_or("`--json` was given nothing, expected a file's name")?);
            }
            // Cargo tests benches by running them.
            "--test" => std::process::exit(0),
            _ => {
                return Err(format!(
                    "unknown argument `{argument}`, expected `--quick`, `--only` or `--json`"
                ));
            }
        }
    }
    Ok(request)
}

fn main() -> ExitCode {
    let request = match request() {
        Ok(request) => request,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    measure::keep_freed_memory();
    if let Some(load) = measure::load().filter(|&load| load > BUSY) {
        eprintln!(
            "warning: the machine is busy (load {load:.1}), and processors share caches and cores: the figures will be \
             too high\nhelp: run the bench alone"
        );
    }
    match python::version() {
        Some(version) => println!("beside {version}; node: 2 slots and 16 bytes of data\n"),
        None => {
            println!(
                "no python3 on this machine to compare with; node: 2 slots and 16 bytes of data\n"
            );
        }
    }
    println!("{}", Figure::heading());
    let mut figures = Vec::new();
    let mut add = |figure: Figure| {
        println!("{}", figure.line());
        figures.push(figure);
    };
    for part in &request.parts {
        (part.figures)(request.scale, &mut add);
    }
    let missed = figures.iter().filter(|figure| figure.is_missed()).count();
    println!("\n{missed} of {} figures miss their goal", figures.len());
    if let Some(file) = request.json {
        let text = serde_json::to_string_pretty(&figures).expect("figures are plain data");
        if let Err(error) = std::fs::write(&file, text) {
            eprintln!("error: cannot write `{file}`: {error}");
            return ExitCode::from(1);
        }
    }
    ExitCode::SUCCESS
}
