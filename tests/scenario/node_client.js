// Each call of Postmark's Node client against the sandbox, one test a call, in the order in which
// they build on each other.  Arguments: the folder of the client, the port of the sandbox.
"use strict";

const assert = require("node:assert/strict");
const http = require("node:http");
const [folder, port] = process.argv.slice(2);
const postmark = require(folder);

const host = "127.0.0.1:" + port;
const options = { useHttps: false, requestHost: host };
const TOKEN = "sandbox-server-token", ACCOUNT_TOKEN = "sandbox-account-token";
const server = new postmark.ServerClient(TOKEN, options);
const account = new postmark.AccountClient(ACCOUNT_TOKEN, options);
const { Errors } = postmark;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const mail = { From: "shop@sender.example", To: "ann@reader.example", Subject: "Hello", TextBody: "Hi.\n" };

// What the sandbox's own side knows and does.
async function control(method, path, body) {
  const answer = await fetch("http://" + host + "/sandbox/" + path,
    { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, method + " " + path + ": " + text);
  return JSON.parse(text);
}

async function fails(promise, kind, code, text) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof kind, "a " + error.name + ": " + error.message);
    assert.equal(error.code, code, error.message);
    if (text !== undefined)
      assert.match(error.message, text);
    return error;
  }
  assert.fail("was accepted");
}

function find(list, key, value) {
  const one = list.find((item) => item[key] === value);
  assert.ok(one, value + " is not in the list");
  return one;
}

const tests = [];
const known = {}; // IDs that later tests need
function test(name, run) {
  tests.push({ name, run });
}

// ---- sending ----

test("sendEmail", async () => {
  const answer = await server.sendEmail({ ...mail, Cc: "bo@reader.example", Tag: "first",
    HtmlBody: '<a href="https://shop.example/1">one</a>', TrackOpens: true, TrackLinks: "HtmlAndText",
    Headers: [{ Name: "X-Test", Value: "yes" }], Metadata: { colour: "red" },
    Attachments: [{ Name: "a.txt", Content: "aGk=", ContentType: "text/plain", ContentID: null }] });
  assert.equal(answer.ErrorCode, 0);
  assert.equal(answer.Message, "OK");
  assert.equal(answer.To, "ann@reader.example");
  assert.match(answer.MessageID, UUID);
  assert.ok(!Number.isNaN(Date.parse(answer.SubmittedAt)));
  known.message = answer.MessageID;
  const kept = await control("GET", "messages/" + known.message);
  assert.equal(kept.Request.Subject, "Hello");
  assert.deepEqual(kept.Recipients, ["ann@reader.example", "bo@reader.example"]);
});

test("sendEmail, by the client's own class and with a callback", async () => {
  const message = new postmark.Message(mail.From, "By class", undefined, "text", mail.To);
  const answer = await new Promise((resolve, reject) =>
    server.sendEmail(message, (error, result) => error ? reject(error) : resolve(result)));
  assert.equal((await control("GET", "messages/" + answer.MessageID)).Request.Subject, "By class");
});

test("sendEmailBatch", async () => {
  const answers = await server.sendEmailBatch([{ ...mail, Subject: "1" }, { ...mail, To: "nonsense" },
    { ...mail, Subject: "3" }]);
  assert.deepEqual(answers.map((a) => a.ErrorCode), [0, 300, 0]);
  assert.match(answers[0].MessageID, UUID);
  assert.deepEqual(Object.keys(answers[1]).sort(), ["ErrorCode", "Message"]);
  assert.match(answers[1].Message, /must contain the '@' symbol/);
  assert.equal((await control("GET", "messages/" + answers[2].MessageID)).BatchSize, 3);
});

test("sendEmailBatch of 501", async () => {
  await fails(server.sendEmailBatch(Array(501).fill(mail)), Errors.ApiInputError, 410, /500 messages/);
});

test("sendEmailWithTemplate", async () => {
  const message = new postmark.TemplatedMessage(mail.From, "welcome", { name: "<Ann>" }, mail.To);
  const answer = await server.sendEmailWithTemplate(message);
  assert.equal(answer.Message, "OK");
  const { Request } = await control("GET", "messages/" + answer.MessageID);
  assert.equal(Request.Subject, "Welcome, <Ann>");
  assert.match(Request.HtmlBody, /Welcome, &lt;Ann&gt;!/);
  assert.equal(Request.TextBody, "Welcome, <Ann>!\n");
  assert.equal(Request.TemplateAlias, "welcome");
  known.welcome = Request.TemplateId;
  assert.ok(Number.isInteger(known.welcome));
});

test("sendEmailWithTemplate, what is refused", async () => {
  const base = { From: mail.From, To: mail.To, TemplateAlias: "welcome", TemplateModel: {} };
  const refused = (change, code, text) =>
    fails(server.sendEmailWithTemplate({ ...base, ...change }), Errors.ApiInputError, code, text);
  await refused({ TemplateAlias: "nope" }, 1101,
    /^The Template's 'Alias' associated with this request is not valid or was not found\.$/);
  await refused({ TemplateId: 1 }, 1101); // wins over the alias
  await refused({ TemplateAlias: undefined }, 1101);
  await refused({ TemplateModel: undefined }, 1120);
  await refused({ TemplateModel: { "@content": "x" } }, 1122);
  await refused({ Subject: "mine" }, 1123);
  await refused({ TemplateModel: "text" }, 403, /'TemplateModel'/);
  await refused({ To: "" }, 300, /Zero recipients/);
});

test("sendEmailBatchWithTemplates", async () => {
  const base = { From: mail.From, To: mail.To, TemplateModel: { name: "Bo" } };
  const answers = await server.sendEmailBatchWithTemplates([{ ...base, TemplateId: known.welcome },
    { ...base, TemplateAlias: "nope" }, { ...base, TemplateAlias: "WELCOME" }]);
  assert.deepEqual(answers.map((a) => a.ErrorCode), [0, 1101, 0]);
  assert.equal((await control("GET", "messages/" + answers[0].MessageID)).Request.Subject, "Welcome, Bo");
});

test("the test token", async () => {
  const tester = new postmark.ServerClient("POSTMARK_API_TEST", options);
  const before = (await control("GET", "counts")).accepted;
  assert.equal((await tester.sendEmail(mail)).Message, "Test job accepted");
  const untold = { From: mail.From, To: mail.To, TemplateAlias: "nope", TemplateModel: {} };
  assert.equal((await tester.sendEmailWithTemplate(untold)).Message, "Test job accepted");
  await fails(tester.sendEmail({ ...mail, To: "x" }), Errors.InvalidEmailRequestError, 300);
  assert.equal((await control("GET", "counts")).accepted, before);
});

// ---- errors ----

test("InvalidAPIKeyError", async () => {
  const text = /^Request does not contain a valid Server token\.$/;
  const stranger = new postmark.ServerClient("nobodys-token", options);
  const error = await fails(stranger.sendEmail(mail), Errors.InvalidAPIKeyError, 10, text);
  assert.equal(error.statusCode, 401);
  await fails(new postmark.AccountClient(TOKEN, options).getServers(), Errors.InvalidAPIKeyError, 10);
  await fails(new postmark.ServerClient(ACCOUNT_TOKEN, options).getServer(), Errors.InvalidAPIKeyError, 10);
});

test("InvalidEmailRequestError", async () => {
  const error = await fails(server.sendEmail({ ...mail, From: "x" }), Errors.InvalidEmailRequestError, 300);
  assert.equal(error.statusCode, 422);
});

test("ApiInputError", async () => {
  const exe = { Name: "a.exe", Content: "aGk=", ContentType: "application/octet-stream", ContentID: null };
  await fails(server.sendEmail({ ...mail, Attachments: [exe] }), Errors.ApiInputError, 411);
  await fails(server.sendEmail({ ...mail, MessageStream: "none" }), Errors.ApiInputError, 1235, /'none'/);
});

test("InactiveRecipientsError", async () => {
  await server.createSuppressions("outbound", { Suppressions: [{ EmailAddress: "gone@reader.example" },
    { EmailAddress: "left@reader.example" }] });
  const to = "gone@reader.example, left@reader.example";
  const error = await fails(server.sendEmail({ ...mail, To: to }), Errors.InactiveRecipientsError, 406);
  assert.deepEqual(error.recipients, ["gone@reader.example", "left@reader.example"]);
  const partly = await server.sendEmail({ ...mail, Cc: "gone@reader.example" });
  assert.equal(partly.ErrorCode, 0);
  assert.match(partly.Message, /will not deliver to these inactive addresses: gone@reader\.example\./);
});

test("RateLimitExceededError, InternalServerError, ServiceUnavailablerError, UnknownError", async () => {
  for (const [status, kind, code] of [[429, Errors.RateLimitExceededError, 429], [500, Errors.InternalServerError, 101],
    [503, Errors.ServiceUnavailablerError, 100], [502, Errors.UnknownError, 0]]) {
    await control("PUT", "faults", [{ path: "/email", status }]);
    const error = await fails(server.sendEmail(mail), kind, code);
    assert.equal(error.statusCode, status);
  }
  await control("DELETE", "faults");
});

test("PostmarkError of a connection that is cut", async () => {
  await control("PUT", "faults", [{ path: "/email", cut: "before" }]);
  assert.equal((await fails(server.sendEmail(mail), Errors.PostmarkError, 0)).statusCode, 0);
  await control("DELETE", "faults");
});

// ---- templates ----

test("createTemplate, a layout", async () => {
  const answer = await server.createTemplate({ Name: "Page", Alias: "page", TemplateType: "Layout",
    HtmlBody: "<html>{{{ @content }}}</html>", TextBody: "{{{ @content }}}-- \nshop" });
  assert.equal(answer.TemplateType, "Layout");
  assert.equal(answer.Active, true);
  await fails(server.createTemplate({ Name: "Bad", TemplateType: "Layout", HtmlBody: "x" }), Errors.ApiInputError, 1131);
});

test("createTemplate", async () => {
  const answer = await server.createTemplate(new postmark.Models.CreateTemplateRequest("Receipt", "Receipt {{number}}",
    "<ul>{{#each lines}}<li>{{name}}: {{price}} of {{../../number}}</li>{{/each}}</ul>",
    "{{#note}}Note: {{.}}{{/note}}{{^note}}No note{{/note}}\n", "receipt", "Standard", "page"));
  assert.equal(answer.Name, "Receipt");
  assert.equal(answer.Alias, "receipt");
  assert.equal(answer.LayoutTemplate, "page");
  known.receipt = answer.TemplateId;
  await fails(server.createTemplate({ Name: "Bad", Subject: "s", HtmlBody: "{{#x}}" }), Errors.ApiInputError, 1122, /'x'/);
  const sent = await server.sendEmailWithTemplate({ From: mail.From, To: mail.To, TemplateId: known.receipt,
    TemplateModel: { number: 7, lines: [{ name: "Tea & cake", price: 4.5 }, { name: "Jam", price: 3 }] } });
  const { Request } = await control("GET", "messages/" + sent.MessageID);
  assert.equal(Request.Subject, "Receipt 7");
  assert.equal(Request.HtmlBody, "<html><ul><li>Tea &amp; cake: 4.5 of 7</li><li>Jam: 3 of 7</li></ul></html>");
  assert.equal(Request.TextBody, "No note\n-- \nshop");
});

test("getTemplate, by ID and by alias", async () => {
  const byId = await server.getTemplate(known.receipt);
  assert.equal(byId.Subject, "Receipt {{number}}");
  assert.equal(byId.AssociatedServerId, (await server.getServer()).ID);
  assert.deepEqual(await server.getTemplate("receipt"), byId);
  await fails(server.getTemplate("nope"), Errors.ApiInputError, 1101);
});

test("getTemplates", async () => {
  const all = await server.getTemplates();
  assert.equal(all.TotalCount, 3);
  assert.equal(find(all.Templates, "Alias", "welcome").TemplateId, known.welcome);
  assert.equal((await server.getTemplates({ templateType: "Layout" })).Templates[0].Alias, "page");
  assert.equal((await server.getTemplates({ layoutTemplate: "page" })).Templates[0].Alias, "receipt");
  const second = await server.getTemplates({ count: 1, offset: 1 });
  assert.deepEqual([second.TotalCount, second.Templates.length], [3, 1]);
  await fails(server.getTemplates({ count: 501 }), Errors.ApiInputError, 1100);
});

test("editTemplate", async () => {
  const answer = await server.editTemplate("receipt", { Name: "Bill", Subject: "Bill {{number}}" });
  assert.deepEqual([answer.Name, answer.TemplateId], ["Bill", known.receipt]);
  const now = await server.getTemplate(known.receipt);
  assert.equal(now.Subject, "Bill {{number}}");
  assert.match(now.HtmlBody, /#each lines/);
  await fails(server.editTemplate(known.receipt, { Alias: "1bad" }), Errors.ApiInputError, 1122);
});

test("validateTemplate", async () => {
  const good = await server.validateTemplate({ Subject: "{{#company}}{{name}}{{/company}} {{subjectHeadline}}",
    HtmlBody: "{{#company}}{{address}}{{/company}}{{#each person}} {{name}} {{/each}}",
    TextBody: "{{userName}}", TestRenderModel: { userName: "bobby joe" } });
  assert.equal(good.AllContentIsValid, true);
  assert.deepEqual(good.HtmlBody, { ContentIsValid: true, ValidationErrors: [],
    RenderedContent: "address_Value name_Value " });
  assert.equal(good.TextBody.RenderedContent, "bobby joe");
  assert.deepEqual(good.SuggestedTemplateModel, { userName: "bobby joe",
    company: { name: "name_Value", address: "address_Value" }, subjectHeadline: "subjectHeadline_Value",
    person: [{ name: "name_Value" }] });
  const bad = await server.validateTemplate({ Subject: "ok", HtmlBody: "line\n {{#each}}{{/each}}", TextBody: "{{a b}}" });
  assert.equal(bad.AllContentIsValid, false);
  assert.equal(bad.HtmlBody.RenderedContent, null);
  assert.deepEqual([bad.HtmlBody.ValidationErrors[0].Line, bad.HtmlBody.ValidationErrors[0].CharacterPosition], [2, 2]);
  assert.match(bad.TextBody.ValidationErrors[0].Message, /'a b'/);
});

test("deleteTemplate", async () => {
  await fails(server.deleteTemplate("page"), Errors.ApiInputError, 1130);
  const answer = await server.deleteTemplate("receipt");
  assert.deepEqual([answer.ErrorCode, answer.Message], [0, "Template " + known.receipt + " removed."]);
  await fails(server.getTemplate(known.receipt), Errors.ApiInputError, 1101);
});

// ---- servers ----

test("getServer", async () => {
  const own = await server.getServer();
  assert.ok(own.ApiTokens.includes(TOKEN));
  assert.equal(own.DeliveryType, "Live");
  assert.match(own.InboundAddress, /@inbound\.postmarkapp\.com$/);
  known.server = own.ID;
});

test("editServer", async () => {
  const edited = await server.editServer({ Color: "Purple", SmtpApiActivated: true });
  assert.deepEqual([edited.Color, edited.SmtpApiActivated, edited.ID], ["purple", true, known.server]);
  assert.equal((await server.getServer()).Color, "purple");
  await fails(server.editServer({ Color: "beige" }), Errors.ApiInputError, 607);
});

test("account.createServer", async () => {
  const made = await account.createServer({ Name: "second", Color: "red", DeliveryType: "Sandbox" });
  assert.deepEqual([made.Name, made.Color, made.DeliveryType], ["second", "red", "Sandbox"]);
  assert.equal(made.ApiTokens.length, 1);
  known.second = made.ID;
  known.secondToken = made.ApiTokens[0];
  await fails(account.createServer({ Name: "second" }), Errors.ApiInputError, 603);
});

test("account.getServer", async () => {
  assert.equal((await account.getServer(known.second)).Name, "second");
});

test("account.getServers", async () => {
  assert.equal((await account.getServers()).TotalCount, 2);
  const found = await account.getServers({ name: "econ" });
  assert.deepEqual(found.Servers.map((s) => s.ID), [known.second]);
});

test("account.editServer", async () => {
  const edited = await account.editServer(known.second, { Name: "other", TrackOpens: true });
  assert.deepEqual([edited.Name, edited.TrackOpens, edited.Color], ["other", true, "red"]);
});

test("account.pushTemplates", async () => {
  const request = { SourceServerID: known.server, DestinationServerID: known.second, PerformChanges: false };
  const planned = await account.pushTemplates(request);
  assert.equal(planned.TotalCount, 2);
  assert.deepEqual(planned.Templates.map((t) => [t.Action, t.Alias, t.TemplateType]),
    [["Create", "page", "Layout"], ["Create", "welcome", "Standard"]]);
  const second = new postmark.ServerClient(known.secondToken, options);
  assert.equal((await second.getTemplates()).TotalCount, 0);
  await account.pushTemplates({ ...request, PerformChanges: true });
  assert.equal((await second.getTemplate("welcome")).Subject, "Welcome, {{name}}");
  assert.equal((await account.pushTemplates(request)).Templates[0].Action, "Edit");
  await fails(account.pushTemplates({ ...request, SourceServerID: 999 }), Errors.ApiInputError, 601);
});

test("account.deleteServer", async () => {
  const answer = await account.deleteServer(known.second);
  assert.equal(answer.ErrorCode, 0);
  assert.match(answer.Message, /^Server other removed\.$/);
  await fails(new postmark.ServerClient(known.secondToken, options).getServer(), Errors.InvalidAPIKeyError, 10);
});

// ---- domains and sender signatures ----

test("account.createDomain", async () => {
  const made = await account.createDomain({ Name: "shop.example", ReturnPathDomain: "pm-bounces.shop.example" });
  assert.deepEqual([made.Name, made.DKIMVerified, made.DKIMUpdateStatus], ["shop.example", false, "Pending"]);
  assert.match(made.DKIMPendingHost, /\._domainkey\.shop\.example$/);
  known.domain = made.ID;
  await fails(account.createDomain({ Name: "shop.example" }), Errors.ApiInputError, 512);
  await fails(account.createDomain({ Name: "no domain" }), Errors.ApiInputError, 516);
  await fails(account.createDomain({ Name: "gmail.com" }), Errors.ApiInputError, 503);
});

test("account.getDomain", async () => {
  assert.equal((await account.getDomain(known.domain)).ReturnPathDomain, "pm-bounces.shop.example");
  await fails(account.getDomain(999), Errors.ApiInputError, 510);
});

test("account.getDomains", async () => {
  const list = await account.getDomains();
  assert.equal(find(list.Domains, "Name", "shop.example").ID, known.domain);
  assert.equal(list.Domains[0].SPFHost, undefined);
});

test("account.editDomain", async () => {
  const edited = await account.editDomain(known.domain, { ReturnPathDomain: "bounces.shop.example" });
  assert.equal(edited.ReturnPathDomain, "bounces.shop.example");
  await fails(account.editDomain(known.domain, { ReturnPathDomain: "other.example" }), Errors.ApiInputError, 511);
});

test("account.verifyDomainDKIM", async () => {
  await control("PUT", "dns", { "shop.example": { DKIM: false } });
  assert.equal((await account.verifyDomainDKIM(known.domain)).DKIMVerified, false);
  await control("PUT", "dns", { "shop.example": { DKIM: true } });
  const verified = await account.verifyDomainDKIM(known.domain);
  assert.deepEqual([verified.DKIMVerified, verified.DKIMUpdateStatus, verified.DKIMPendingHost], [true, "Verified", ""]);
});

test("account.verifyDomainReturnPath", async () => {
  assert.equal((await account.verifyDomainReturnPath(known.domain)).ReturnPathDomainVerified, true);
});

test("account.verifyDomainSPF", async () => {
  assert.equal((await account.verifyDomainSPF(known.domain)).SPFVerified, true);
});

test("account.rotateDomainDKIM", async () => {
  const rotated = await account.rotateDomainDKIM(known.domain);
  assert.notEqual(rotated.DKIMPendingHost, "");
  await fails(account.rotateDomainDKIM(known.domain), Errors.ApiInputError, 505);
  assert.equal((await account.verifyDomainDKIM(known.domain)).DKIMRevokedHost, rotated.DKIMHost);
});

test("account.createSenderSignature", async () => {
  const made = await account.createSenderSignature({ FromEmail: "info@other.example", Name: "Info",
    ReplyToEmail: "help@other.example", ConfirmationPersonalNote: "Please." });
  assert.deepEqual([made.EmailAddress, made.Domain, made.Confirmed, made.ConfirmationPersonalNote],
    ["info@other.example", "other.example", false, "Please."]);
  known.sender = made.ID;
  assert.equal((await account.createSenderSignature({ FromEmail: "a@shop.example", Name: "A" })).Confirmed, true);
  await fails(account.createSenderSignature({ Name: "x" }), Errors.ApiInputError, 520);
  await fails(account.createSenderSignature({ FromEmail: "INFO@other.example", Name: "x" }), Errors.ApiInputError, 504);
});

test("account.getSenderSignature", async () => {
  assert.equal((await account.getSenderSignature(known.sender)).ReplyToEmailAddress, "help@other.example");
  await fails(account.getSenderSignature(999), Errors.ApiInputError, 501);
});

test("account.getSenderSignatures", async () => {
  const list = await account.getSenderSignatures();
  assert.equal(list.TotalCount, 2);
  assert.deepEqual(find(list.SenderSignatures, "ID", known.sender), { ID: known.sender, Domain: "other.example",
    EmailAddress: "info@other.example", Name: "Info", ReplyToEmailAddress: "help@other.example", Confirmed: false });
});

test("account.editSenderSignature", async () => {
  const edited = await account.editSenderSignature(known.sender, { Name: "Informer" });
  assert.deepEqual([edited.Name, edited.ReplyToEmailAddress], ["Informer", "help@other.example"]);
});

test("account.resendSenderSignatureConfirmation", async () => {
  assert.equal((await account.resendSenderSignatureConfirmation(known.sender)).ErrorCode, 0);
});

test("account.verifySenderSignatureSPF", async () => {
  assert.equal((await account.verifySenderSignatureSPF(known.sender)).SPFVerified, true);
});

test("account.requestNewDKIMForSenderSignature", async () => {
  await fails(account.requestNewDKIMForSenderSignature(known.sender), Errors.ApiInputError, 505);
});

test("who may be in From", async () => {
  await control("PUT", "switches", { check_senders: true });
  const from = (address) => server.sendEmail({ ...mail, From: address });
  await fails(from("info@other.example"), Errors.ApiInputError, 400, /^The 'From' address you supplied \(info@other\.example\)/);
  await control("PUT", "senders", { "info@other.example": true });
  assert.equal((await from("info@other.example")).Message, "OK");
  assert.equal((await from("anybody@shop.example")).Message, "OK");
  await fails(from("anybody@other.example"), Errors.ApiInputError, 400);
  await fails(account.resendSenderSignatureConfirmation(known.sender), Errors.ApiInputError, 506);
  await control("PUT", "switches", { check_senders: false });
});

test("account.deleteSenderSignature", async () => {
  assert.equal((await account.deleteSenderSignature(known.sender)).Message, "Signature info@other.example removed.");
  await fails(account.getSenderSignature(known.sender), Errors.ApiInputError, 501);
});

test("account.deleteDomain", async () => {
  assert.equal((await account.deleteDomain(known.domain)).Message, "Domain shop.example removed.");
  assert.equal((await account.getDomains()).TotalCount, 0);
});

test("account.requestDataRemoval", async () => {
  const asked = await account.requestDataRemoval({ RequestedBy: "me@shop.example", RequestedFor: "ann@reader.example",
    NotifyWhenCompleted: false });
  assert.equal(asked.Status, "Pending");
  known.removal = asked.ID;
});

test("account.getDataRemovalStatus", async () => {
  const now = await account.getDataRemovalStatus(known.removal);
  assert.equal(now.ID, known.removal);
  assert.match(now.Status, /^(Pending|Done)$/);
});

// ---- webhooks ----

test("createWebhook", async () => {
  const made = await server.createWebhook({ Url: "http://127.0.0.1:9/hook", MessageStream: "outbound",
    HttpAuth: { Username: "u", Password: "p" }, HttpHeaders: [{ Name: "X-Key", Value: "k" }],
    Triggers: { Bounce: { Enabled: true, IncludeContent: true } } });
  assert.equal(made.Url, "http://127.0.0.1:9/hook");
  assert.deepEqual(made.HttpHeaders, [{ Name: "X-Key", Value: "k" }]);
  assert.deepEqual(made.Triggers.Bounce, { Enabled: true, IncludeContent: true });
  assert.equal(made.Triggers.Delivery.Enabled, false);
  known.webhook = made.ID;
  await fails(server.createWebhook({ Url: "nonsense" }), Errors.ApiInputError, 1354);
  await fails(server.createWebhook({ Url: "http://127.0.0.1:9/", MessageStream: "inbound" }), Errors.ApiInputError, 1351);
});

test("createWebhook, probed", async () => {
  let probes = 0, status = 500;
  const receiver = http.createServer((request, response) => {
    probes++;
    request.resume();
    request.on("end", () => response.writeHead(status).end());
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const hook = { Url: "http://127.0.0.1:" + receiver.address().port + "/", Triggers: { Delivery: { Enabled: true } } };
  await control("PUT", "switches", { verify_webhooks: true });
  try {
    await fails(server.createWebhook(hook), Errors.ApiInputError, 1364);
    assert.equal((await server.getWebhooks()).Webhooks.length, 1);
    status = 200;
    const made = await server.createWebhook(hook);
    assert.equal(probes, 2);
    await server.deleteWebhook(made.ID);
  } finally {
    await control("PUT", "switches", { verify_webhooks: false });
    receiver.closeAllConnections?.();
    receiver.close();
  }
});

test("getWebhook", async () => {
  assert.deepEqual((await server.getWebhook(known.webhook)).HttpAuth, { Username: "u", Password: "p" });
  await fails(server.getWebhook(999), Errors.ApiInputError, 1352);
});

test("getWebhooks", async () => {
  assert.deepEqual((await server.getWebhooks()).Webhooks.map((w) => w.ID), [known.webhook]);
  assert.deepEqual((await server.getWebhooks({ messageStream: "broadcast" })).Webhooks, []);
});

test("editWebhook", async () => {
  const edited = await server.editWebhook(known.webhook, { Triggers: { Open: { Enabled: true, PostFirstOpenOnly: true } } });
  assert.deepEqual(edited.Triggers.Open, { Enabled: true, PostFirstOpenOnly: true });
  assert.equal(edited.Triggers.Bounce.Enabled, true);
});

test("deleteWebhook", async () => {
  assert.equal((await server.deleteWebhook(known.webhook)).Message, "Webhook " + known.webhook + " removed.");
  assert.deepEqual((await server.getWebhooks()).Webhooks, []);
});

// ---- bounces ----

test("getBounces", async () => {
  const sent = await server.sendEmail({ ...mail, To: "HardBounce@bounce-testing.postmarkapp.com", Tag: "bouncing" });
  await server.sendEmail({ ...mail, To: "soft_bounce@bounce-testing.postmarkapp.com", Tag: "bouncing" });
  const all = await server.getBounces();
  assert.equal(all.TotalCount, 2);
  const hard = find(all.Bounces, "Type", "HardBounce");
  assert.deepEqual([hard.MessageID, hard.Inactive, hard.CanActivate, hard.TypeCode], [sent.MessageID, true, true, 1]);
  known.bounce = hard.ID;
  assert.equal((await server.getBounces({ type: "SoftBounce" })).TotalCount, 1);
  assert.equal((await server.getBounces({ inactive: true, emailFilter: "hard" })).Bounces[0].ID, known.bounce);
  assert.equal((await server.getBounces({ tag: "nothing" })).TotalCount, 0);
  await fails(server.getBounces({ count: 501 }), Errors.ApiInputError, 1000);
});

test("getBounce", async () => {
  const bounce = await server.getBounce(known.bounce);
  assert.equal(bounce.Email.toLowerCase(), "hardbounce@bounce-testing.postmarkapp.com");
  assert.match(bounce.Content, /Undelivered mail/);
  await fails(server.getBounce(1), Errors.ApiInputError, 1001);
});

test("getBounceDump", async () => {
  assert.match((await server.getBounceDump(known.bounce)).Body, /^Return-Path: <>/);
});

test("getDeliveryStatistics", async () => {
  const stats = await server.getDeliveryStatistics();
  assert.equal(find(stats.Bounces, "Name", "All").Count, 2);
  assert.equal(find(stats.Bounces, "Type", "HardBounce").Count, 1);
  assert.equal(stats.InactiveMails, 3); // two by hand
});

test("activateBounce", async () => {
  const to = "HardBounce@bounce-testing.postmarkapp.com";
  await fails(server.sendEmail({ ...mail, To: to }), Errors.InactiveRecipientsError, 406);
  const answer = await server.activateBounce(known.bounce);
  assert.deepEqual([answer.Message, answer.Bounce.ID, answer.Bounce.Inactive], ["OK", known.bounce, false]);
  assert.equal((await server.getDeliveryStatistics()).InactiveMails, 2);
});

// ---- suppressions and streams ----

test("createSuppressions", async () => {
  const answer = await server.createSuppressions("broadcast", { Suppressions: [{ EmailAddress: "Bo@Reader.example" },
    { EmailAddress: "nonsense" }] });
  assert.deepEqual(answer.Suppressions.map((s) => s.Status), ["Suppressed", "Failed"]);
  await fails(server.createSuppressions("none", { Suppressions: [] }), Errors.ApiInputError, 1226);
});

test("getSuppressions", async () => {
  const list = (await server.getSuppressions("broadcast")).Suppressions;
  assert.equal(list.length, 1);
  assert.deepEqual([list[0].EmailAddress.toLowerCase(), list[0].SuppressionReason, list[0].Origin],
    ["bo@reader.example", "ManualSuppression", "Customer"]);
  const none = new postmark.Models.SuppressionFilteringParameters(100, 0, "HardBounce");
  assert.deepEqual((await server.getSuppressions("broadcast", none)).Suppressions, []);
});

test("deleteSuppressions", async () => {
  const answer = await server.deleteSuppressions("broadcast", { Suppressions: [{ EmailAddress: "bo@reader.example" }] });
  assert.equal(answer.Suppressions[0].Status, "Deleted");
  assert.deepEqual((await server.getSuppressions("broadcast")).Suppressions, []);
});

test("createMessageStream", async () => {
  const made = await server.createMessageStream({ ID: "news", Name: "News", MessageStreamType: "Broadcasts" });
  assert.deepEqual([made.ID, made.MessageStreamType, made.ServerID], ["news", "Broadcasts", known.server]);
  assert.equal((await server.sendEmail({ ...mail, MessageStream: "news" })).Message, "OK");
  await fails(server.createMessageStream({ ID: "news", Name: "x", MessageStreamType: "Broadcasts" }), Errors.ApiInputError, 1230);
});

test("getMessageStream", async () => {
  assert.equal((await server.getMessageStream("news")).Name, "News");
  await fails(server.getMessageStream("none"), Errors.ApiInputError, 1226);
});

test("getMessageStreams", async () => {
  const all = await server.getMessageStreams();
  assert.deepEqual(all.MessageStreams.map((s) => s.ID).sort(), ["broadcast", "inbound", "news", "outbound"]);
  assert.equal((await server.getMessageStreams({ messageStreamType: "Inbound" })).TotalCount, 1);
});

test("editMessageStream", async () => {
  const edited = await server.editMessageStream("news", { Name: "Newer", Description: "All of it" });
  assert.deepEqual([edited.Name, edited.Description, edited.ID], ["Newer", "All of it", "news"]);
});

test("archiveMessageStream", async () => {
  const archived = await server.archiveMessageStream("news");
  assert.equal(archived.ID, "news");
  assert.ok(Date.parse(archived.ExpectedPurgeDate) > Date.now());
  await fails(server.sendEmail({ ...mail, MessageStream: "news" }), Errors.ApiInputError, 1235);
  assert.equal((await server.getMessageStreams({ includeArchivedStreams: true })).TotalCount, 4);
});

test("unarchiveMessageStream", async () => {
  assert.equal((await server.unarchiveMessageStream("news")).ArchivedAt, null);
  assert.equal((await server.sendEmail({ ...mail, MessageStream: "news" })).Message, "OK");
});

// ---- messages ----

test("getOutboundMessages", async () => {
  const found = await server.getOutboundMessages({ tag: "first", recipient: "bo@reader.example", fromEmail: mail.From });
  assert.equal(found.TotalCount, 1);
  const one = found.Messages[0];
  assert.deepEqual([one.MessageID, one.Subject, one.Status, one.TrackOpens], [known.message, "Hello", "Sent", true]);
  assert.deepEqual(one.Attachments, ["a.txt"]);
  assert.deepEqual(one.Metadata, { colour: "red" });
  assert.equal((await server.getOutboundMessages({ metadata_colour: "red" })).TotalCount, 1);
  assert.equal((await server.getOutboundMessages({ messageStream: "news" })).TotalCount, 2);
  await fails(server.getOutboundMessages({ count: 500, offset: 9501 }), Errors.ApiInputError, 700);
});

test("getOutboundMessageDetails", async () => {
  const details = await server.getOutboundMessageDetails(known.message);
  assert.equal(details.TextBody, mail.TextBody);
  assert.match(details.Body, /X-Test: yes/);
  assert.equal(find(details.MessageEvents, "Recipient", "bo@reader.example").Type, "Delivered");
  await fails(server.getOutboundMessageDetails("6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10"), Errors.ApiInputError, 701);
});

test("getOutboundMessageDump", async () => {
  assert.match((await server.getOutboundMessageDump(known.message)).Body, /Subject: Hello/);
});

test("getMessageOpens", async () => {
  for (const Platform of ["Mobile", "WebMail"])
    await control("POST", "open", { MessageID: known.message, Recipient: "ann@reader.example", Platform,
      Client: { Name: "Chrome 140", Company: "Google", Family: "Chrome" } });
  const opens = await server.getMessageOpens();
  assert.equal(opens.TotalCount, 2);
  assert.deepEqual(opens.Opens.map((o) => o.FirstOpen).sort(), [false, true]);
  assert.deepEqual([opens.Opens[0].MessageID, opens.Opens[0].Recipient], [known.message, "ann@reader.example"]);
  assert.equal((await server.getMessageOpens({ tag: "other" })).TotalCount, 0);
});

test("getMessageOpensForSingleMessage", async () => {
  assert.equal((await server.getMessageOpensForSingleMessage(known.message)).TotalCount, 2);
});

test("getMessageClicks", async () => {
  await control("POST", "click", { MessageID: known.message, Recipient: "ann@reader.example", Platform: "Desktop",
    OriginalLink: "https://shop.example/1", ClickLocation: "HTML",
    Client: { Name: "Firefox 150", Company: "Mozilla", Family: "Firefox" } });
  const clicks = await server.getMessageClicks();
  assert.equal(clicks.TotalCount, 1);
  assert.deepEqual([clicks.Clicks[0].OriginalLink, clicks.Clicks[0].ClickLocation], ["https://shop.example/1", "HTML"]);
});

test("getMessageClicksForSingleMessage", async () => {
  assert.equal((await server.getMessageClicksForSingleMessage(known.message)).Clicks[0].Recipient, "ann@reader.example");
});

// ---- statistics ----

test("getOutboundOverview", async () => {
  const first = await server.getOutboundOverview({ tag: "first" });
  assert.deepEqual(first, { Sent: 2, Bounced: 0, SMTPApiErrors: 0, BounceRate: 0, SpamComplaints: 0,
    SpamComplaintsRate: 0, Opens: 2, UniqueOpens: 1, Tracked: 2, WithLinkTracking: 2, WithOpenTracking: 2,
    TotalTrackedLinksSent: 2, UniqueLinksClicked: 1, TotalClicks: 1, WithClientRecorded: 2, WithPlatformRecorded: 2 });
  const bouncing = await server.getOutboundOverview({ tag: "bouncing" });
  assert.deepEqual([bouncing.Sent, bouncing.Bounced, bouncing.BounceRate], [2, 2, 100]);
  assert.ok((await server.getOutboundOverview()).Sent > 10);
});

// A call, what it is asked, and its sums; all of it happened on one day, or on two around midnight.
for (const [call, filter, sums] of [
  ["getSentCounts", { messageStream: "news" }, { Sent: 2 }],
  ["getBounceCounts", {}, { HardBounce: 1, SoftBounce: 1 }],
  ["getSpamComplaintsCounts", {}, {}],
  ["getTrackedEmailCounts", { tag: "first" }, { Tracked: 2 }],
  ["getEmailOpenCounts", {}, { Opens: 2, Unique: 1 }],
  ["getEmailOpenPlatformUsage", {}, { Mobile: 1, WebMail: 1 }],
  ["getEmailOpenClientUsage", {}, { "Chrome 140": 2 }],
  ["getClickCounts", {}, { Clicks: 1, Unique: 1 }],
  ["getClickBrowserUsage", {}, { Firefox: 1 }],
  ["getClickPlatformUsage", {}, { Desktop: 1 }],
  ["getClickLocation", {}, { HTML: 1 }],
]) {
  test(call, async () => {
    const { Days, ...totals } = await server[call](filter);
    assert.deepEqual(totals, sums);
    const added = {};
    for (const { Date: day, ...counts } of Days) {
      assert.match(day, /^\d{4}-\d\d-\d\d$/);
      for (const [key, count] of Object.entries(counts))
        added[key] = (added[key] || 0) + count;
    }
    assert.deepEqual(added, sums);
    await fails(server[call]({ fromDate: "yesterday" }), Errors.ApiInputError, 900);
    await fails(server[call]({ messageStream: "none" }), Errors.ApiInputError, 1226);
    assert.deepEqual((await server[call]({ ...filter, toDate: "2020-01-01" })).Days, []);
  });
}

// ---- inbound ----

test("createInboundRuleTrigger", async () => {
  const made = await server.createInboundRuleTrigger({ Rule: "spam.example" });
  assert.equal(made.Rule, "spam.example");
  known.rule = made.ID;
  await fails(server.createInboundRuleTrigger({ Rule: "spam.example" }), Errors.ApiInputError, 810);
});

test("getInboundRuleTriggers", async () => {
  const list = await server.getInboundRuleTriggers();
  assert.deepEqual(list, { TotalCount: 1, InboundRules: [{ ID: known.rule, Rule: "spam.example" }] });
});

test("getInboundMessages", async () => {
  await control("POST", "inbound", { From: "ann@reader.example", Subject: "Question", TextBody: "Why?" });
  await control("POST", "inbound", { From: "x@spam.example", Subject: "Buy", TextBody: "Now!" });
  const all = await server.getInboundMessages();
  assert.equal(all.TotalCount, 2);
  known.inbound = find(all.InboundMessages, "Subject", "Question").MessageID;
  known.blocked = find(all.InboundMessages, "Subject", "Buy").MessageID;
  assert.equal((await server.getInboundMessages({ status: "blocked" })).InboundMessages[0].MessageID, known.blocked);
});

test("getInboundMessageDetails", async () => {
  const details = await server.getInboundMessageDetails(known.inbound);
  assert.deepEqual([details.From, details.TextBody], ["ann@reader.example", "Why?"]);
});

test("bypassBlockedInboundMessage", async () => {
  assert.equal((await server.bypassBlockedInboundMessage(known.blocked)).ErrorCode, 0);
  await fails(server.bypassBlockedInboundMessage(known.inbound), Errors.ApiInputError, 701);
});

test("retryInboundHookForMessage", async () => {
  // Only what failed can be tried again, and nothing did.
  await fails(server.retryInboundHookForMessage(known.inbound), Errors.ApiInputError, 701);
});

test("deleteInboundRuleTrigger", async () => {
  assert.equal((await server.deleteInboundRuleTrigger(known.rule)).ErrorCode, 0);
  assert.equal((await server.getInboundRuleTriggers()).TotalCount, 0);
});

(async () => {
  let passed = 0, failed = 0;
  for (const { name, run } of tests) {
    try {
      await run();
      passed++;
    } catch (error) {
      failed++;
      console.log("FAIL  " + name + ": " + (error.stack || error));
    }
  }
  console.log(passed + " calls passed, " + failed + " failed");
  process.exit(failed > 0 ? 1 : 0);
})();
