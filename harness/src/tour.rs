//! The verb `tour`: how Python manages memory, listing by listing, on real heaps.

mod drawing;
pub mod lessons;
pub mod player;

use crate::{cli::Exit, experiment::mistake::unknown, run::UsageError};
use anyhow::Context;
use clap::Args;
use collectors::{Collector, WithCollector, with_collector};
use lessons::{LESSONS, Lesson};
use player::{Scene, TourError};
use std::{fmt::Write as _, io::Write as _};

/// The collectors of the tour: counting alone, counting as in CPython, and the same with a trigger that learns.
const SHOWN: [&str; 3] = ["refcount", "generational", "tuned"];

/// See how Python manages memory: labels, counts, destruction at zero, cycles, thresholds
///
/// Plays the listings of an article line by line on real heaps, shows what they hold after each step, and says why. Where
/// collectors differ, each is shown.
#[derive(Debug, Args)]
pub struct Tour {
    /// Play only the lesson with this number
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=LESSONS.len() as i64))]
    lesson: Option<u16>,
    /// Play on these collectors
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values = SHOWN)]
    collectors: Vec<String>,
}

impl Tour {
    /// Plays the tour to standard output.
    ///
    /// # Errors
    ///
    /// If there is no such collector, or a lesson cannot be played.
    pub fn run(self) -> anyhow::Result<Exit> {
        for name in &self.collectors {
            if !collectors::NAMES.contains(&name.as_str()) {
                let (message, help) = unknown("collector", name, collectors::NAMES);
                return Err(UsageError::new(message, help).into());
            }
        }
        let chosen = |number: &usize| self.lesson.is_none_or(|only| usize::from(only) == *number);
        for (number, lesson) in (1..).zip(LESSONS).filter(|(number, _)| chosen(number)) {
            let text = tell(number, lesson, &self.collectors)?;
            std::io::stdout().write_all(text.as_bytes())?;
        }
        Ok(Exit::Success)
    }
}

/// A lesson as text, on the collectors of these names.
///
/// # Errors
///
/// If it cannot be played on one of them.
pub fn tell(number: usize, lesson: &Lesson, names: &[String]) -> anyhow::Result<String> {
    let played = names.iter().map(|name| {
        let scenes =
            scenes(name, lesson).with_context(|| format!("lesson {number} on `{name}`"))?;
        Ok((name.as_str(), scenes))
    });
    let played: Vec<(&str, Vec<Scene>)> = played.collect::<anyhow::Result<_>>()?;
    let title = format!("{number}. {}", lesson.title);
    let mut text = format!("{title}\n{}\n", "═".repeat(title.chars().count()));
    for (index, step) in lesson.steps.iter().enumerate() {
        text.push('\n');
        let lines = if step.python.is_empty() { "(the program ends)" } else { step.python };
        for line in lines.lines() {
            let _ = writeln!(text, "    {line}");
        }
        let mut shown: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
        for (name, scenes) in &played {
            let lines = describe(&scenes[index]);
            match shown.iter_mut().find(|(_, other)| *other == lines) {
                Some((names, _)) => names.push(name),
                None => shown.push((vec![name], lines)),
            }
        }
        for (names, lines) in &shown {
            text.push('\n');
            if shown.len() > 1 {
                let _ = writeln!(text, "  on {}:", names.join(" and "));
            }
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
        if !step.why.is_empty() {
            let _ = write!(text, "\n{}\n", wrap(step.why));
        }
    }
    let _ = write!(text, "\n{}\n\n\n", wrap(&format!("=> {}", lesson.moral)));
    Ok(text)
}

/// The scenes of a lesson on the collector of that name.
///
/// # Errors
///
/// If it cannot be played.
pub fn scenes(name: &str, lesson: &Lesson) -> Result<Vec<Scene>, TourError> {
    struct Play<'l>(&'l Lesson);

    impl WithCollector for Play<'_> {
        type Output = Result<Vec<Scene>, TourError>;

        fn run<C: Collector>(self) -> Self::Output {
            player::play::<C>(self.0)
        }
    }

    with_collector(name, Play(lesson)).unwrap_or_else(|| Ok(Vec::new()))
}

/// What was printed, what was collected, and what the heap holds.
fn describe(scene: &Scene) -> Vec<String> {
    let printed = scene.printed.iter().map(|line| format!("> {line}").trim_end().to_owned());
    let events = scene.events.iter().map(|event| format!("* {event}"));
    let drawn = drawing::draw(&scene.objects).into_iter().map(|line| format!("| {line}"));
    printed.chain(events).chain(drawn).collect()
}

/// Lines of at most 100 characters.
fn wrap(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].chars().count() + word.chars().count() >= 100 {
            lines.push(word.to_owned());
        } else {
            let line = &mut lines[last];
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
