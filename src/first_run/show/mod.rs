//! tmp
use super::Progress;
/// tmp
pub struct View;
#[allow(missing_docs)]
impl View {
    pub fn json() -> Self {
        Self
    }
    pub fn lines() -> Self {
        Self
    }
    pub fn bars() -> Self {
        Self
    }
    pub fn again(&self) -> Self {
        Self
    }
    pub fn moves(&self) -> bool {
        false
    }
    pub fn update(&mut self, _: &Progress) {}
    pub fn end(&mut self, p: &Progress) {
        println!("{}", serde_json::to_string_pretty(p).unwrap_or_default());
    }
}
#[allow(missing_docs)]
pub fn plan(p: &Progress, _: bool, _: &mut dyn std::io::Write) {
    println!("{}", serde_json::to_string_pretty(p).unwrap_or_default());
}
