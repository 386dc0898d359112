//! The table of metrics: turns a struct whose doc comments are the help texts into registered metrics.
//!
//! Knows no metric of rekeyd by name: these stand in [`super::Metrics`].

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

/// Declares the struct of all metrics.
///
/// A field is a metric: its name follows the prefix, its doc comment is the help text. In brackets stand its labels. A
/// metric of which all labels name their values starts at zero with each of them. A histogram can name its buckets.
macro_rules! metrics {
    (
        $(#[$attribute:meta])*
        pub struct $metrics:ident($prefix:literal) {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $kind:ident
                    $([$($label:ident $(= $values:expr)?),+])?
                    $(in [$($bucket:literal),+])?,
            )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub struct $metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl $metrics {
            /// Names of all metrics, except for the standard ones of a process.
            pub const NAMES: &[&str] = &[$(concat!($prefix, stringify!($field))),+];

            /// Declarations of all metrics, in the order of [`Self::NAMES`].
            pub const DECLARATIONS: &[Declaration] = &[$(
                metrics!(@declare $prefix $field $kind [$($help)+] [$($($label)+)?] [$($($bucket)+)?])
            ),+];

            fn registered_with(registry: Registry) -> Result<Self, prometheus::Error> {
                Ok(Self {
                    $($field: register(
                        &registry,
                        &metrics!(@declare $prefix $field $kind [$($help)+] [$($($label)+)?] [$($($bucket)+)?]),
                    )?,)+
                    registry,
                })
            }

            /// Returns the metrics that have labels.
            fn families(&self) -> Vec<Family<'_>> {
                vec![$($(Family {
                    metric: &self.$field,
                    labels: vec![$(Label {
                        name: stringify!($label),
                        values: metrics!(@values $($values)?),
                    }),+],
                },)?)+]
            }
        }
    };
    (@declare $prefix:literal $field:ident $kind:ident [$($help:literal)+] [$($label:ident)*] [$($bucket:literal)*]) => {
        Declaration {
            name: concat!($prefix, stringify!($field)),
            kind: stringify!($kind),
            help: concat!($($help),+),
            labels: &[$(stringify!($label)),*],
            buckets: &[$($bucket),*],
        }
    };
    (@values) => { Vec::new() };
    (@values $values:expr) => { $values.into_iter().collect() };
}

pub(super) use metrics;

/// The declaration of a metric.
#[derive(Debug)]
pub struct Declaration {
    /// The name, with its prefix.
    pub name: &'static str,
    /// The type in Rust, such as `IntCounterVec`.
    pub kind: &'static str,
    /// The help text.
    pub help: &'static str,
    /// The names of the labels.
    pub labels: &'static [&'static str],
    /// The upper bounds of a histogram's buckets; none: those of the library.
    pub buckets: &'static [f64],
}

impl Declaration {
    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help.trim())
    }

    fn histogram_opts(&self) -> HistogramOpts {
        let opts = HistogramOpts::new(self.name, self.help.trim());
        if self.buckets.is_empty() { opts } else { opts.buckets(self.buckets.to_vec()) }
    }
}

/// A label, and its values if they are few and known.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) values: Vec<&'static str>,
}

/// A metric that has one series for each combination of its labels' values.
pub(super) struct Family<'a> {
    pub(super) metric: &'a dyn Series,
    pub(super) labels: Vec<Label>,
}

impl Family<'_> {
    /// Starts every series at zero, if the values of all labels are known.
    pub(super) fn start(&self) {
        for values in self.combinations(None) {
            self.metric.start(&values);
        }
    }

    pub(super) fn has_label(&self, name: &str) -> bool {
        self.labels.iter().any(|label| label.name == name)
    }

    /// Starts every series in which the label `name` is `value`, if the values of all other labels are known.
    pub(super) fn start_for(&self, name: &str, value: &str) {
        for values in self.combinations(Some((name, value))) {
            self.metric.start(&values);
        }
    }

    /// Removes these series again.
    pub(super) fn remove_for(&self, name: &str, value: &str) {
        for values in self.combinations(Some((name, value))) {
            self.metric.remove(&values);
        }
    }

    /// Returns every combination of the labels' values, in which the label named in `given` has that value only.
    ///
    /// There is none if the values of another label are not known.
    fn combinations<'v>(&'v self, given: Option<(&str, &'v str)>) -> Vec<Vec<&'v str>> {
        self.labels.iter().fold(vec![Vec::new()], |combinations, label| {
            let values = match given {
                Some((name, value)) if label.name == name => vec![value],
                _ => label.values.clone(),
            };
            combinations
                .iter()
                .flat_map(|before| values.iter().map(|value| [before.as_slice(), &[*value]].concat()))
                .collect()
        })
    }
}

/// The series of a metric, by the values of its labels.
pub(super) trait Series {
    fn start(&self, values: &[&str]);
    fn remove(&self, values: &[&str]);
}

impl<T: MetricVecBuilder> Series for MetricVec<T> {
    fn start(&self, values: &[&str]) {
        self.with_label_values(values);
    }

    /// Ignores a series that never started.
    fn remove(&self, values: &[&str]) {
        let _ = self.remove_label_values(values);
    }
}

/// A type of metric that can be made from its declaration.
pub(super) trait Declared: Collector + Clone + 'static {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error>;
}

impl Declared for IntCounter {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::with_opts(declaration.opts())
    }
}

impl Declared for IntGauge {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::with_opts(declaration.opts())
    }
}

impl Declared for Gauge {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::with_opts(declaration.opts())
    }
}

impl Declared for Histogram {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::with_opts(declaration.histogram_opts())
    }
}

impl Declared for IntCounterVec {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::new(declaration.opts(), declaration.labels)
    }
}

impl Declared for IntGaugeVec {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::new(declaration.opts(), declaration.labels)
    }
}

impl Declared for GaugeVec {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::new(declaration.opts(), declaration.labels)
    }
}

impl Declared for HistogramVec {
    fn declared(declaration: &Declaration) -> Result<Self, prometheus::Error> {
        Self::new(declaration.histogram_opts(), declaration.labels)
    }
}

/// Makes a metric and adds it to `registry`.
pub(super) fn register<M: Declared>(
    registry: &Registry,
    declaration: &Declaration,
) -> Result<M, prometheus::Error> {
    let metric = M::declared(declaration)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
