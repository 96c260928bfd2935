"""Expressions inside manifests: logic-less templates and JMESPath shapes, parsed when the tree is loaded."""
