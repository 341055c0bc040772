// Reads the forms of a page the way a browser would submit them.
import { parse } from 'parse5';

/** All forms of a page: `{ action, method, fields: [{ name, type, value }], buttons: [{ name, value }] }`. */
export function readForms(html, pageUrl) {
  return elements(parse(html), 'form').map((form) => {
    const inputs = elements(form, 'input').map(describe);
    return {
      action: new URL(attribute(form, 'action') || pageUrl, pageUrl),
      method: (attribute(form, 'method') || 'get').toUpperCase(),
      fields: inputs.filter(({ name, type }) => name && type !== 'submit'),
      buttons: [...elements(form, 'button').map(describe), ...inputs.filter(({ type }) => type === 'submit')],
    };
  });
}

/** What a person reads: the text of the page, without markup. */
export function readText(html) {
  const skipped = new Set(['script', 'style', 'head']);
  const walk = (node) =>
    node.nodeName === '#text' ? node.value : skipped.has(node.nodeName) ? '' : (node.childNodes ?? []).map(walk).join(' ');
  return walk(parse(html)).replace(/\s+/g, ' ').trim();
}

function describe(element) {
  return {
    name: attribute(element, 'name'),
    type: attribute(element, 'type') ?? (element.nodeName === 'button' ? 'submit' : 'text'),
    value: attribute(element, 'value') ?? '',
    checked: attribute(element, 'checked') !== undefined,
  };
}

function elements(node, name) {
  return (node.childNodes ?? []).flatMap((child) => [...(child.nodeName === name ? [child] : []), ...elements(child, name)]);
}

function attribute(element, name) {
  return element.attrs.find((attr) => attr.name === name)?.value;
}
