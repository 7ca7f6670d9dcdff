<?php
// A PHP app that answers Twilio, in the shape of Twilio's tutorials: php -S 127.0.0.1:PORT index.php

session_start();

// What Twilio\Security\RequestValidator of the package twilio/sdk does with a form, from Twilio's description of it:
// https://www.twilio.com/docs/usage/security#validating-requests. Composer's registry is not needed to run this.
function is_from_twilio(string $token, string $signature, string $url, array $params): bool
{
    ksort($params);
    foreach ($params as $name => $value) {
        $url .= $name . $value;
    }
    return hash_equals(base64_encode(hash_hmac('sha1', $url, $token, true)), $signature);
}

$url = 'http://' . $_SERVER['HTTP_HOST'] . $_SERVER['REQUEST_URI'];
if (!is_from_twilio(getenv('TWILIO_AUTH_TOKEN'), $_SERVER['HTTP_X_TWILIO_SIGNATURE'] ?? '', $url, $_POST)) {
    http_response_code(403);
    exit;
}

function respond(string $verbs): void
{
    header('Content-Type: text/xml');
    echo '<?xml version="1.0" encoding="UTF-8"?>', "<Response>$verbs</Response>";
}

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/sms':
        $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
        respond('<Message>' . $_SESSION['count'] . ': ' . htmlspecialchars($_POST['Body'], ENT_XML1) . '</Message>');
        break;
    case '/voice':
        respond('<Gather numDigits="1" action="menu"><Say>press a key</Say></Gather>');
        break;
    case '/menu':
        respond('<Say>you pressed ' . htmlspecialchars($_POST['Digits'], ENT_XML1) . '</Say>');
        break;
    default:
        http_response_code(404);
}
