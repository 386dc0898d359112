//! The software bill of materials of the binary, in [CycloneDX](https://cyclonedx.org/docs/1.5/json/) 1.5. It has no time
//! and no serial number: the same commit has the same one.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{DependencyKind, Node, Package, PackageId};
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::prelude::{Bom, Metadata, Purl, SpecVersion, Validate as _};

use crate::checkout::Checkout;
use crate::shipped::{self, SystemPart};

/// The document's text, valid by its own rules.
pub fn sbom(checkout: &Checkout, packages: &[&Package]) -> Result<Vec<u8>> {
    let (own, others): (Vec<_>, Vec<_>) = packages.iter().partition(|package| *package.name == "rekeyd");
    let [own] = own[..] else { bail!("rekeyd is not in its own tree") };
    let mut components = others.into_iter().map(component).collect::<Result<Vec<_>>>()?;
    for part in shipped::system_parts()? {
        components.push(system_component(&part));
    }
    let mut own = component(own)?;
    own.component_type = Classification::Application;
    let bom = Bom {
        metadata: Some(Metadata { component: Some(own), ..Metadata::default() }),
        components: Some(Components(components)),
        dependencies: Some(dependencies(checkout, packages)?),
        serial_number: None,
        ..Bom::default()
    };
    let judgement = bom.validate_version(SpecVersion::V1_5);
    if !judgement.passed() {
        bail!("the SBOM is not valid: {judgement:?}");
    }
    let mut text = Vec::new();
    bom.output_as_json_v1_5(&mut text)?;
    Ok(text)
}

fn component(package: &Package) -> Result<Component> {
    let version = package.version.to_string();
    let purl = Purl::new("cargo", &package.name, &version)?;
    let mut component =
        Component::new(Classification::Library, &package.name, &version, Some(purl.to_string()));
    let license = package.license.as_deref().with_context(|| format!("{} has no licence", package.name))?;
    component.licenses = Some(licenses(license));
    component.purl = Some(purl);
    Ok(component)
}

fn system_component(part: &SystemPart) -> Component {
    let reference = format!("{}@{}", part.name, part.version);
    let mut component = Component::new(Classification::Library, part.name, &part.version, Some(reference));
    component.licenses = Some(licenses(part.license));
    component
}

/// Older packages write a slash for "or".
fn licenses(expression: &str) -> Licenses {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    Licenses(vec![LicenseChoice::Expression(SpdxExpression::new(&expression))])
}

/// Returns the dependencies of each package in the binary.
fn dependencies(checkout: &Checkout, packages: &[&Package]) -> Result<Dependencies> {
    let references: HashMap<&PackageId, String> = packages
        .iter()
        .map(|package| {
            Ok((&package.id, Purl::new("cargo", &package.name, &package.version.to_string())?.to_string()))
        })
        .collect::<Result<_>>()?;
    let resolve = checkout.metadata().resolve.as_ref().context("Cargo resolved nothing")?;
    let needs = |node: &Node| {
        let normal = node
            .deps
            .iter()
            .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
        let mut needs: Vec<_> = normal.filter_map(|dep| references.get(&dep.pkg).cloned()).collect();
        needs.sort();
        needs.dedup();
        needs
    };
    let mut found: Vec<_> = resolve
        .nodes
        .iter()
        .filter_map(|node| {
            Some(Dependency { dependency_ref: references.get(&node.id)?.clone(), dependencies: needs(node) })
        })
        .collect();
    found.sort_by(|one, other| one.dependency_ref.cmp(&other.dependency_ref));
    Ok(Dependencies(found))
}
