//! What a fence agent says of itself: its `metadata` in XML gives its options, what kind of value each takes, which are
//! required, and the actions that it knows. So any agent works unseen (S2).
//!
//! The format is that of the fence-agents project. An option often has two names, the older one `deprecated`, the newer one
//! naming it in `obsoletes`; and `-` and `_` are the same in a name.

use thiserror::Error;

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its name, "fence_ipmilan".
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// Its options, in its own order.
    pub parameters: Vec<Parameter>,
    /// The actions that it knows: "off", "status", "monitor".
    pub actions: Vec<String>,
}

/// One option of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, with `_`.
    pub name: String,
    /// The older name that it takes the place of.
    pub obsoletes: Option<String>,
    /// Whether it is the older name.
    pub deprecated: bool,
    /// Whether the agent works without it.
    pub required: bool,
    /// What it takes.
    pub content: Content,
    /// What it takes when nothing is given.
    pub default: Option<String>,
    /// What it is, in a line.
    pub about: String,
}

/// What an option takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number of seconds.
    Seconds,
    /// true or false.
    Boolean,
    /// One of these.
    OneOf(Vec<String>),
}

/// Why an agent's metadata cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// It is not XML.
    #[error("what it says of itself is no XML: {0}")]
    NotXml(String),
    /// It is XML about something else.
    #[error("it describes a <{0}>, not a <resource-agent>")]
    NotAnAgent(String),
}

impl Metadata {
    /// Reads an agent's XML. What stands before it (a warning of the agent's interpreter) is skipped.
    ///
    /// # Errors
    ///
    /// It is no XML, or not about an agent.
    pub fn parse(text: &str) -> Result<Metadata, MetadataError> {
        let start = text.find("<?xml").or_else(|| text.find("<resource-agent")).unwrap_or(0);
        let document = roxmltree::Document::parse(text[start..].trim())
            .map_err(|error| MetadataError::NotXml(error.to_string()))?;
        let root = document.root_element();
        if root.tag_name().name() != "resource-agent" {
            return Err(MetadataError::NotAnAgent(root.tag_name().name().to_owned()));
        }
        let named = |name: &'static str| root.descendants().filter(move |node| node.has_tag_name(name));
        Ok(Metadata {
            name: root.attribute("name").unwrap_or_default().to_owned(),
            about: root.attribute("shortdesc").unwrap_or_default().to_owned(),
            parameters: named("parameter").filter_map(parameter).collect(),
            actions: named("action").filter_map(|node| node.attribute("name").map(str::to_owned)).collect(),
        })
    }

    /// The option called `name`, however its words are joined.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        let name = normal(name);
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Whether the agent knows `action`.
    pub fn knows_action(&self, action: &str) -> bool {
        self.actions.iter().any(|known| known == action)
    }
}

/// A name as the metadata writes it.
pub(super) fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn parameter(node: roxmltree::Node<'_, '_>) -> Option<Parameter> {
    let flag = |attribute: &str| node.attribute(attribute).is_some_and(|value| matches!(value, "1" | "true"));
    let child = |name: &'static str| node.children().find(move |child| child.has_tag_name(name));
    let content = child("content");
    let options = |node: roxmltree::Node<'_, '_>| {
        node.children().filter_map(|child| child.attribute("value").map(str::to_owned)).collect()
    };
    Some(Parameter {
        name: normal(node.attribute("name")?),
        obsoletes: node.attribute("obsoletes").map(normal),
        deprecated: flag("deprecated"),
        required: flag("required"),
        content: match content.and_then(|content| content.attribute("type")) {
            Some("boolean") => Content::Boolean,
            Some("integer") => Content::Integer,
            Some("second") => Content::Seconds,
            Some("select") => Content::OneOf(content.map(options).unwrap_or_default()),
            // A kind that this version does not know is the agent's to judge.
            Some(_) | None => Content::Text,
        },
        default: content.and_then(|content| content.attribute("default")).map(str::to_owned),
        about: child("shortdesc").and_then(|about| about.text()).unwrap_or_default().trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = r#"a warning
<?xml version="1.0" ?>
<resource-agent name="fence_x" shortdesc="An agent" >
<longdesc>x</longdesc>
<parameters>
	<parameter name="ip" unique="0" required="1" obsoletes="ipaddr"><content type="string"  /><shortdesc lang="en">Where</shortdesc></parameter>
	<parameter name="ipaddr" unique="0" required="1" deprecated="1"><content type="string"  /></parameter>
	<parameter name="auth-url" required="?"><content type="second" default="5" /></parameter>
	<parameter name="method"><content type="select" default="onoff" ><option value="onoff" /><option value="cycle" /></content></parameter>
	<parameter name="lanplus"><content type="boolean" default="0" /></parameter>
	<parameter name="odd"><content type="riddle" /></parameter>
</parameters>
<actions><action name="on" automatic="0"/><action name="off" /><action name="status" /></actions>
</resource-agent>
"#;

    #[test]
    fn s2_an_agent_s_metadata_is_understood() {
        let agent = Metadata::parse(AGENT).expect("metadata");
        assert_eq!((agent.name.as_str(), agent.about.as_str()), ("fence_x", "An agent"));
        assert_eq!(agent.actions, ["on", "off", "status"]);
        let ip = agent.parameter("ip").expect("ip");
        assert!(ip.required && !ip.deprecated);
        assert_eq!((ip.obsoletes.as_deref(), ip.about.as_str()), (Some("ipaddr"), "Where"));
        assert!(agent.parameter("ipaddr").expect("the old name").deprecated);
        let url = agent.parameter("auth_url").expect("either way of joining");
        assert_eq!((url.required, &url.content, url.default.as_deref()), (false, &Content::Seconds, Some("5")));
        let method = agent.parameter("method").expect("method");
        assert_eq!(method.content, Content::OneOf(vec!["onoff".to_owned(), "cycle".to_owned()]));
        assert_eq!(agent.parameter("odd").expect("odd").content, Content::Text);
        assert_eq!(agent.parameter("bogus"), None);
        assert!(agent.knows_action("status") && !agent.knows_action("monitor"));
    }

    #[test]
    fn s2_what_is_no_metadata_is_told_apart() {
        assert!(matches!(Metadata::parse("usage: off|on"), Err(MetadataError::NotXml(_))));
        assert!(matches!(Metadata::parse(""), Err(MetadataError::NotXml(_))));
        assert_eq!(Metadata::parse("<html/>"), Err(MetadataError::NotAnAgent("html".to_owned())));
    }
}
