//! `cargo xtask`: packs a checkout, and measures its code. It holds no logic of the daemon.

mod archive;
mod binary;
mod check;
mod checkout;
mod functions;
mod image;
mod notices;
mod sbom;
mod shipped;
mod source;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::binary::Binary;
use crate::checkout::Checkout;
use crate::source::{Figures, Source};

/// Pack rekeyd (the binary, a release archive, a Functions package, an image), and check and measure its code.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the binary that is shipped: static, with the same bytes in any folder.
    Build(Features),
    /// Write the licence notices and the SBOM (CycloneDX) of that binary into a folder.
    Notices {
        #[command(flatten)]
        features: Features,
        /// The folder to write to; created if it does not exist.
        directory: PathBuf,
    },
    /// Pack the release archive: binary, man pages, completions, notices, SBOM, example configuration, systemd unit.
    Archive {
        #[command(flatten)]
        features: Features,
        #[command(flatten)]
        built: Built,
    },
    /// Pack the zip for Azure Functions: binary, host.json, the functions, notices, and your configuration.
    Functions {
        /// Your configuration. It is checked first, and is `rekeyd.toml` in the package.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(flatten)]
        built: Built,
    },
    /// Build the container image, with its labels.
    Image(image::Image),
    /// Check format, lints, unit tests and the tests of documents: minutes, before each commit.
    Check,
    /// Print lengths of functions and closures bound to a name: the daemon, without the sandbox and tests.
    Measure,
}

/// The features of the daemon that are built.
#[derive(Debug, Args)]
struct Features {
    /// Cargo features of the daemon; by default none, so without the sandbox.
    #[arg(long, value_delimiter = ',')]
    features: Vec<String>,
}

/// A binary that was built before.
#[derive(Debug, Args)]
struct Built {
    /// The binary to pack, with the same features. Default: build one.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

impl Built {
    fn or_build(self, checkout: &Checkout, features: &[String]) -> Result<Binary> {
        match self.binary {
            Some(path) => Binary::at(&path),
            None => Binary::build(checkout, features),
        }
    }
}

fn main() -> Result<()> {
    let task = Cli::parse().task;
    let checkout = Checkout::here()?;
    match task {
        Task::Build(features) => say(Binary::build(&checkout, &features.features)?.path()),
        Task::Notices { features, directory } => {
            notices::write(&checkout, &features.features, &directory)?;
            say(&directory);
        }
        Task::Archive { features: Features { features }, built } => {
            let binary = built.or_build(&checkout, &features)?;
            say(&archive::pack(&checkout, &features, &binary)?);
        }
        Task::Functions { config, built } => {
            let binary = built.or_build(&checkout, &[])?;
            say(&functions::pack(&checkout, &binary, &config)?);
        }
        Task::Image(image) => image.build(&checkout)?,
        Task::Check => check::all(&checkout)?,
        Task::Measure => measure(&checkout)?,
    }
    Ok(())
}

/// Prints the figures of the daemon's code, then each long function and each closure bound to a name.
fn measure(checkout: &Checkout) -> Result<()> {
    let sources = Source::read_all(checkout.root(), "src")?;
    print!("{}", Figures::of(sources.iter().filter(|source| source.is_product())));
    Ok(())
}

/// Prints the path of the result, the one line on standard output.
fn say(path: &std::path::Path) {
    println!("{}", path.display());
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask build                               target/x86_64-unknown-linux-gnu/dist/rekeyd
  cargo xtask archive                             target/packages/rekeyd-VERSION-x86_64-unknown-linux-gnu.tar.gz
  cargo xtask functions --config my/rekeyd.toml   target/packages/rekeyd-functions-VERSION-….zip
  cargo xtask image                               docker build … -t rekeyd:VERSION
  cargo xtask image --builder buildah -- --pull-never --isolation chroot
  cargo xtask archive --binary FILE               the same, of a binary that `cargo xtask build` made elsewhere
  cargo xtask check                               format, lints, unit tests, tests of documents
  cargo xtask measure                             lengths of functions, and closures that are bound to a name

Archives and images are dated by the commit, or of SOURCE_DATE_EPOCH where that is set.";
