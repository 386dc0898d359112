//! The words of Azure's services stay in `azure/`: other layers know kinds of refusals and facts about the cloud, but
//! no error code, host name or type of the SDK. Configuration takes addresses, and the sandbox speaks for Azure.

use std::collections::BTreeSet;

use crate::source::Source;
use crate::{names, sources};

const FOLDERS_OF_AZURE: [&str; 3] = ["src/azure/", "src/config/", "src/sandbox/"];

const HOST_NAMES: [&str; 14] = [
    "azure.cn",
    "azure.com",
    "azure.net",
    "azure.us",
    "azurehealthcareapis.com",
    "azurewebsites.net",
    "chinacloudapi.cn",
    "microsoft.com",
    "microsoft.us",
    "microsoftonline.cn",
    "microsoftonline.com",
    "microsoftonline.us",
    "usgovcloudapi.net",
    "windows.net",
];

const SDK: [&str; 4] =
    ["azure_core", "azure_identity", "azure_security_keyvault_secrets", "azure_storage_queue"];

/// Beginnings of the codes of Graph, Key Vault and Entra.
const CODES_BEGIN: [&str; 12] = [
    "AADSTS",
    "Application_",
    "Authentication_",
    "Authorization_",
    "CredentialInvalid",
    "CredentialType",
    "Directory_",
    "ForbiddenBy",
    "KeyCredentials",
    "ObjectIs",
    "Request_",
    "Service_",
];

/// Codes without such a beginning. Others are read from `src/azure`.
const CODES: [&str; 10] = [
    "AccessDenied",
    "NoPasswordCredential",
    "PopReceiptMismatch",
    "QueueNotFound",
    "SecretDisabled",
    "SecretNotFound",
    "invalid_client",
    "invalid_resource",
    "invalid_scope",
    "unauthorized_client",
];

/// Returns the lines of code of a source, without comments: doc comments are the help of the command line.
fn code(source: &Source) -> Vec<(usize, &str)> {
    let lines = source.product_lines().into_iter();
    lines.map(|(number, line)| (number, without_comment(line))).collect()
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap_or(line) }
}

/// Returns the string literals of a line.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

/// Returns true for two or more words in CamelCase or Snake_Camel: the form of error codes.
fn has_form_of_code(text: &str) -> bool {
    let capitals = text.chars().filter(char::is_ascii_uppercase).count();
    let is_word = text.chars().all(|part| part.is_ascii_alphabetic() || part == '_');
    is_word
        && capitals > 1
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text != text.to_uppercase()
}

/// Collects the texts in `src/azure` that have the form of a code.
fn codes_of_azure() -> BTreeSet<String> {
    let sources: Vec<_> = sources("src/azure").into_iter().filter(|source| !source.is_test()).collect();
    let lines = sources.iter().flat_map(code).flat_map(|(_, line)| literals(line));
    lines.filter(|text| has_form_of_code(text)).map(ToOwned::to_owned).collect()
}

/// Lists the words of Azure in a line of code.
fn azure_words(line: &str, codes: &BTreeSet<String>) -> BTreeSet<String> {
    let words = line.split(|part: char| !(part.is_ascii_alphanumeric() || part == '_'));
    let begins = words.filter(|word| CODES_BEGIN.iter().any(|begin| is_longer(word, begin)));
    let whole = HOST_NAMES.iter().chain(&SDK).chain(&CODES).copied().filter(|word| names(line, word));
    let read = literals(line).filter(|text| codes.contains(*text));
    begins.chain(whole).chain(read).map(ToOwned::to_owned).collect()
}

fn is_longer(word: &str, begin: &str) -> bool {
    word.len() > begin.len() && word.starts_with(begin)
}

fn may_name_azure(source: &Source) -> bool {
    source.is_test() || FOLDERS_OF_AZURE.iter().any(|folder| source.path.starts_with(folder))
}

#[test]
fn words_of_azure_stay_in_their_layer() {
    let codes = codes_of_azure();
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !may_name_azure(source)) {
        for (number, line) in code(source) {
            let words = azure_words(line, &codes);
            wrong.extend(words.into_iter().map(|word| format!("{}:{number}: {word}", source.path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_of_azure_are_found() {
    let codes = codes_of_azure();
    assert!(codes.contains("SecretNotFound"), "{codes:?}");
    for line in [
        r#"    Some("ForbiddenByFirewall") => Block,"#,
        r#"if code == "Directory_ResourceSizeExceeded" {"#,
        r#"text.contains("AADSTS7000215")"#,
        r#"let url = "https://graph.microsoft.com/v1.0";"#,
        r#"let scope = "https://vault.azure.net/.default"; // why"#,
        "use azure_core::error::ErrorKind;",
    ] {
        assert_eq!(azure_words(without_comment(line), &codes).len(), 1, "{line}");
    }
    for line in [
        "/// Reads from https://graph.microsoft.com",
        "let set = self.azure.commands();",
        "let name = azure_core_of(x); // https://login.microsoftonline.com",
        "RefusalKind::Forbidden | RefusalKind::NotFound => {",
    ] {
        assert!(azure_words(without_comment(line), &codes).is_empty(), "{line}");
    }
}
