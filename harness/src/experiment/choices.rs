//! Choices: the settings of a collector and the parameters of a workload, checked by whoever they are for.

use super::mistake::unknown;
use crate::input;
use collectors::{Collector, Heap, Options, WithCollector, with_collector};
use serde::{Serialize, de::DeserializeOwned};
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};
use workloads::{WithWorkload, Workload, with_workload};

/// What is wrong with a choice; without a place it is the name that is wrong.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The table of settings or parameters, if there is one.
pub(super) type Given<'t, 'i> = Option<&'t Spanned<DeValue<'i>>>;

/// All settings of the collector of that name: those given, and the defaults of the others.
pub(super) fn settings(name: &str, given: Given<'_, '_>) -> Result<serde_json::Value, Wrong> {
    with_collector(name, Settings { given })
        .unwrap_or_else(|| Err(nobody("collector", name, collectors::NAMES)))
}

/// All parameters of the workload of that name: those given, and the defaults of the others.
pub(super) fn parameters(name: &str, given: Given<'_, '_>) -> Result<serde_json::Value, Wrong> {
    with_workload(name, Parameters { given })
        .unwrap_or_else(|| Err(nobody("workload", name, workloads::NAMES)))
}

struct Settings<'t, 'i> {
    given: Given<'t, 'i>,
}

impl WithCollector for Settings<'_, '_> {
    type Output = Result<serde_json::Value, Wrong>;

    fn run<C: Collector>(self) -> Self::Output {
        let known: Vec<&str> = C::SETTINGS.iter().map(|setting| setting.name).collect();
        let settings: C::Settings =
            typed(self.given, &format!("setting of `{}`", C::NAME), &known)?;
        match Heap::<C>::new(settings.clone(), Options::default()) {
            Ok(_) => complete(&settings),
            Err(error) => Err(at_its_key(self.given, error.to_string())),
        }
    }
}

struct Parameters<'t, 'i> {
    given: Given<'t, 'i>,
}

impl WithWorkload for Parameters<'_, '_> {
    type Output = Result<serde_json::Value, Wrong>;

    fn run<W: Workload>(self) -> Self::Output {
        let known: Vec<&str> = W::PARAMETERS.iter().map(|parameter| parameter.name).collect();
        let mut parameters: W::Parameters =
            typed(self.given, &format!("parameter of `{}`", W::NAME), &known)?;
        if let Err(error) = input::supply::<W>(&mut parameters) {
            return Err(at_its_key(self.given, format!("parameter `file`: {error}")));
        }
        match W::validate(&parameters) {
            Ok(()) => complete(&parameters),
            Err(error) => Err(at_its_key(self.given, error.to_string())),
        }
    }
}

/// The table as the type that it is meant for, or the default if there is none.
fn typed<T: DeserializeOwned + Default>(
    given: Given<'_, '_>,
    what: &str,
    known: &[&str],
) -> Result<T, Wrong> {
    let Some(value) = given else {
        return Ok(T::default());
    };
    T::deserialize(ValueDeserializer::from(value.clone())).map_err(|error| {
        let stranger = keys(value)
            .find(|(key, _)| error.message().starts_with(&format!("unknown field `{key}`")));
        match stranger {
            Some((key, span)) => {
                let (message, help) = unknown(what, key, known);
                Wrong { span: Some(span), message, help }
            }
            None => Wrong {
                span: error.span().or(Some(value.span())),
                message: error.message().to_owned(),
                help: None,
            },
        }
    })
}

/// A message that names a key of the table, at the value of that key.
fn at_its_key(given: Given<'_, '_>, message: String) -> Wrong {
    let named = given
        .into_iter()
        .flat_map(table)
        .find(|(key, _)| message.contains(&format!("`{}`", key.get_ref())));
    let span = named.map(|(_, value)| value.span()).or(given.map(Spanned::span));
    Wrong { span, message, help: None }
}

fn nobody(what: &str, name: &str, known: &[&str]) -> Wrong {
    let (message, help) = unknown(what, name, known);
    Wrong { span: None, message, help }
}

fn complete<T: Serialize>(values: &T) -> Result<serde_json::Value, Wrong> {
    serde_json::to_value(values).map_err(|error| Wrong {
        span: None,
        message: error.to_string(),
        help: None,
    })
}

fn keys<'t>(value: &'t Spanned<DeValue<'_>>) -> impl Iterator<Item = (&'t str, Range<usize>)> {
    table(value).map(|(key, _)| (key.get_ref().as_ref(), key.span()))
}

/// Keys and values of a table.
pub(super) fn table<'t, 'i>(
    value: &'t Spanned<DeValue<'i>>,
) -> impl Iterator<Item = (&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    value.get_ref().as_table().into_iter().flat_map(|table| table.iter())
}
