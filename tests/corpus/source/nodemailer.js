// Reads [{ name, mail }] as JSON, writes { name: content in base64 }.  mail is what an application
// gives to nodemailer's sendMail().
"use strict";
const nodemailer = require("nodemailer");
const transport = nodemailer.createTransport({
	streamTransport: true,
	buffer: true,
	newline: "windows",
	attachDataUrls: true,
});
let input = "";
process.stdin.on("data", (chunk) => (input += chunk));
process.stdin.on("end", async () => {
	const out = {};
	for (const { name, mail } of JSON.parse(input)) {
		const info = await transport.sendMail({
			from: "Shop <shop@shop.example>",
			to: "Ann <ann@reader.example>",
			subject: name,
			date: new Date("2026-11-23T09:00:00Z"),
			messageId: `<${name}@corpus.example>`,
			baseBoundary: "corpus",
			disableFileAccess: true,
			disableUrlAccess: true,
			...mail,
		});
		out[name] = info.message.toString("base64");
	}
	process.stdout.write(JSON.stringify(out));
});
