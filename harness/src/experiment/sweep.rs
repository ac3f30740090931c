//! Sweep: lists of values, each combination of which is a configuration.

use super::choices::{Given, Wrong, table};
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue, ValueDeserializer},
};

/// What one `sweep` table asks for.
#[derive(Debug, Default)]
pub(super) struct Sweep<'t, 'i> {
    /// The keys, each with its values; none of the lists is empty.
    axes: Vec<Axis<'t, 'i>>,
}

#[derive(Debug, Clone)]
struct Axis<'t, 'i> {
    key: &'t Spanned<DeString<'i>>,
    values: Vec<&'t Spanned<DeValue<'i>>>,
}

/// One combination of values.
#[derive(Debug)]
pub(super) struct Combination<'i> {
    /// Settings or parameters, those that are not swept included; `None` if no value is given at all.
    pub(super) values: Option<Spanned<DeValue<'i>>>,
    /// The place of the last value that was chosen from a list.
    pub(super) span: Option<Range<usize>>,
}

impl<'t, 'i> Sweep<'t, 'i> {
    /// Reads a table of lists.
    pub(super) fn read(given: Given<'t, 'i>) -> Result<Self, Wrong> {
        let axis = |(key, value): (&'t Spanned<DeString<'i>>, &'t Spanned<DeValue<'i>>)| {
            let name = key.get_ref();
            let list = value.get_ref().as_array().ok_or_else(|| {
                wrong(value, format!("`{name}` is one value, expected a list of values to sweep"))
            })?;
            let values: Vec<_> = list.iter().collect();
            if values.is_empty() {
                return Err(wrong(
                    value,
                    format!("`{name}` is empty, expected at least one value"),
                ));
            }
            Ok(Axis { key, values })
        };
        let axes = given.into_iter().flat_map(table).map(axis).collect::<Result<_, _>>()?;
        Ok(Self { axes })
    }

    /// Takes the numbers of threads out of it, each with its place; `None` if it has none.
    pub(super) fn take_threads(&mut self) -> Result<Option<Vec<Spanned<usize>>>, Wrong> {
        use serde::Deserialize;
        let Some(index) = self.axes.iter().position(|axis| axis.key.get_ref() == "threads") else {
            return Ok(None);
        };
        let number = |value: &&Spanned<DeValue<'i>>| {
            usize::deserialize(ValueDeserializer::from((*value).clone()))
                .map(|number| Spanned::new(value.span(), number))
                .map_err(|error| wrong(value, error.message().to_owned()))
        };
        self.axes.remove(index).values.iter().map(number).collect::<Result<_, _>>().map(Some)
    }

    /// How many combinations there are.
    pub(super) fn len(&self) -> usize {
        self.axes.iter().fold(1, |product, axis| product.saturating_mul(axis.values.len()))
    }

    /// All combinations, each with the values given besides; the last key varies fastest.
    pub(super) fn combinations(
        &self,
        given: Given<'t, 'i>,
        besides: &str,
    ) -> Result<Vec<Combination<'i>>, Wrong> {
        if self.axes.is_empty() {
            return Ok(vec![Combination { values: given.cloned(), span: None }]);
        }
        let given_keys = || given.into_iter().flat_map(table).map(|(key, _)| key.get_ref());
        if let Some(axis) =
            self.axes.iter().find(|axis| given_keys().any(|key| key == axis.key.get_ref()))
        {
            let key = axis.key.get_ref();
            let message = format!("`{key}` is in `{besides}` too, expected it in one of the two");
            return Err(Wrong { span: Some(axis.key.span()), message, help: None });
        }
        Ok((0..self.len()).map(|number| self.combination(number, given)).collect())
    }

    fn combination(&self, number: usize, given: Given<'t, 'i>) -> Combination<'i> {
        let mut values: DeTable<'i> =
            given.and_then(|given| given.get_ref().as_table()).cloned().unwrap_or_default();
        let (mut number, mut span) = (number, None);
        for Axis { key, values: list } in self.axes.iter().rev() {
            let chosen = list[number % list.len()];
            number /= list.len();
            span = span.or(Some(chosen.span()));
            values.insert((*key).clone(), chosen.clone());
        }
        let whole = given.map(Spanned::span).or(span.clone()).unwrap_or_default();
        Combination { values: Some(Spanned::new(whole, DeValue::Table(values))), span }
    }
}

fn wrong<T>(at: &Spanned<T>, message: String) -> Wrong {
    Wrong { span: Some(at.span()), message, help: None }
}
