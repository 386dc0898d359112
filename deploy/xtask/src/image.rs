//! The container image: calls a builder with the arguments that the Dockerfile needs.

use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::checkout::{Checkout, run};

/// How the image is built.
#[derive(Debug, Args)]
pub struct Image {
    /// Which program builds it.
    #[arg(long, value_enum, default_value_t = Builder::Docker)]
    builder: Builder,
    /// The image's name. Default: rekeyd:VERSION.
    #[arg(long)]
    tag: Option<String>,
    /// Cargo features of the daemon; by default none, so without the sandbox.
    #[arg(long, default_value = "")]
    features: String,
    /// The image that it is built in; it has Rust, a C compiler, certificates and time zones.
    #[arg(long, value_name = "IMAGE")]
    built_in: Option<String>,
    /// Passed to the builder as they are.
    #[arg(last = true)]
    others: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Builder {
    Docker,
    Podman,
    Buildah,
}

impl Image {
    pub fn build(&self, checkout: &Checkout) -> Result<()> {
        let epoch = checkout.epoch()?;
        let tag = match &self.tag {
            Some(tag) => tag.clone(),
            None => format!("rekeyd:{}", checkout.version()?),
        };
        let mut build = self.builder.command(epoch);
        for (name, value) in [
            ("FEATURES", self.features.clone()),
            ("VERSION", checkout.version()?),
            ("REVISION", checkout.commit()?),
        ] {
            build.arg("--build-arg").arg(format!("{name}={value}"));
        }
        if let Some(image) = &self.built_in {
            build.arg("--build-arg").arg(format!("RUST_IMAGE={image}"));
        }
        build.args(["--tag", &tag]).args(&self.others).arg(checkout.root());
        run(&mut build)?;
        println!("{tag}");
        Ok(())
    }
}

impl Builder {
    /// Docker dates the image by the build argument `SOURCE_DATE_EPOCH`, the others image and files by an option.
    fn command(self, epoch: u64) -> Command {
        let (program, verb) = match self {
            Self::Docker => ("docker", "build"),
            Self::Podman => ("podman", "build"),
            Self::Buildah => ("buildah", "build"),
        };
        let mut command = Command::new(program);
        command.arg(verb);
        match self {
            Self::Docker => command.arg("--build-arg").arg(format!("SOURCE_DATE_EPOCH={epoch}")),
            Self::Podman | Self::Buildah => command.arg("--timestamp").arg(epoch.to_string()),
        };
        command
    }
}
